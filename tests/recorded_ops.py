"""A stand-in for a CUDA graph where there is no GPU: the operations of a step, recorded once and replayed.

Like a graph it knows addresses and the numbers of the day it was recorded, and nothing of the Python that asked for
them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

READS_A_NUMBER = torch.ops.aten._local_scalar_dense.default


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is not READS_A_NUMBER, "a step that waits for the device cannot be captured"
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


def record(run: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """`run` as the operations that it once was."""
    run()
    with _Recorder() as recorder:
        last = run()

    def replay() -> torch.Tensor:
        newest: dict[int, torch.Tensor] = {}

        def current(tensor: torch.Tensor) -> torch.Tensor:
            return newest.get(id(tensor), tensor)

        for func, args, kwargs, result in recorder.calls:
            again = func(*tree_map_only(torch.Tensor, current, args), **tree_map_only(torch.Tensor, current, kwargs))
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor):
                    newest[id(old)] = new
        return current(last)

    return replay
