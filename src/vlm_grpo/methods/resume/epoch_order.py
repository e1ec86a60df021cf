"""The order of rows: a permutation that depends on the seed and the epoch alone, not on what ran before.

TRL's `RepeatSampler` draws each epoch's permutation from a generator that starts anew in a resumed process, and
accelerate does not tell a resumed sampler its epoch on several processes: either way a second epoch would see the
first one's order again.
"""

from collections.abc import Callable, Iterator, Sized

import torch
from torch.utils.data import Sampler
from trl.trainer.utils import RepeatSampler
from typing_extensions import override


class EpochOrder(Sampler[int]):
    """Each row once, in the permutation of (`seed`, epoch)."""

    def __init__(self, rows: Sized, *, seed: int, epoch: Callable[[], int]) -> None:
        self._count, self._seed, self._epoch = len(rows), seed, epoch

    @override
    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch())
        return iter(torch.randperm(self._count, generator=generator).tolist())

    def __len__(self) -> int:
        return self._count


class EpochGroups(RepeatSampler):
    """TRL's `RepeatSampler` of prompts, in the permutation of (seed, epoch)."""

    def __init__(self, like: RepeatSampler, *, epoch: Callable[[], int]) -> None:
        super().__init__(
            data_source=like.data_source,
            mini_repeat_count=like.mini_repeat_count,
            batch_size=like.batch_size,
            repeat_count=like.repeat_count,
            shuffle=like.shuffle,
            seed=like.seed,
        )
        self._epoch = epoch

    @override
    def __iter__(self) -> Iterator[int]:
        if self.shuffle:
            self.generator.manual_seed(self.seed + self._epoch())
        return super().__iter__()
