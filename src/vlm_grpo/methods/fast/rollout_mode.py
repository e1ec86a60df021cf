"""Rollouts from the policy itself: dropout is off while completions are drawn.

TRL leaves the model in training mode in `generate`, so with LoRA's dropout every token is drawn by another thinned
policy, none of which is scored; its rollouts by vLLM have no dropout. Scoring keeps dropout on, as in TRL.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def no_dropout(model: nn.Module) -> Iterator[None]:
    """Within the context `model` is in evaluation mode; afterwards each module is in the mode that it was in.

    The modes are set past `nn.Module`, whose `eval` and attributes take four times as long over thousands of modules.
    """
    training = [vars(module) for module in model.modules() if module.training]
    try:
        for module in training:
            module["training"] = False
        yield
    finally:
        for module in training:
            module["training"] = True
