"""Record a step once and replay it: the only file of the engine that needs a GPU, and what a record depends on.

A captured CUDA graph repeats the same kernels on the same addresses. Weights may change in place (an optimiser's step
does); it is worthless once one has moved, or once the tower would take another path (adapters switched off, dropout).
"""

from collections.abc import Callable
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from vlm_grpo.adapters.precision import autocast_dtype

Run = Callable[[], torch.Tensor]
WARM_UP = 2


def capture(run: Run) -> Run:
    """`run` as a CUDA graph; its result is overwritten by each replay.

    `run` must leave the same behind when it is repeated, as it is called a few times before. Autocast's cache is off
    meanwhile: it would keep copies of weights that go stale. Other threads may use the GPU.
    """
    with torch.autocast("cuda", enabled=torch.is_autocast_enabled("cuda"), cache_enabled=False):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            result = run()

    def replay() -> torch.Tensor:
        graph.replay()
        return result

    return replay


def what_a_record_depends_on(tower: torch.nn.Module) -> tuple[Any, ...]:
    """Where the tower's tensors lie, and which path it takes; compared between two batches."""
    tensors = (tensor.data_ptr() for tensor in (*tower.parameters(), *tower.buffers()))
    adapters = (
        (layer.merged, layer.disable_adapters, tuple(layer.active_adapters))
        for layer in tower.modules()
        if isinstance(layer, BaseTunerLayer)
    )
    return (*tensors, *adapters, tower.training, autocast_dtype(torch.device("cuda")))
