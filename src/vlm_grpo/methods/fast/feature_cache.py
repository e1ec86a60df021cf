"""Features of pictures by their content, a bounded number of bytes of them, and how unknown pictures are encoded.

A picture's features must not depend on what else is new, not even in rounding: a resumed run, whose cache is empty,
goes on as the undisturbed one would. On a GPU kernels are chosen by size, so pictures pass in calls that always have
the same shapes (`Call`): one that is short is filled up by repeating its last picture.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

Features = tuple[torch.Tensor, ...]
"""What the tower says of one picture: (tokens, width), and one more of that shape for each deepstack layer."""


@dataclass(frozen=True)
class Call:
    """The calls in which a picture may pass the tower: of pictures of one `kind`, always `pictures` of them.

    A kind holds all that kernels are chosen by: the picture's shape, and its mask where it has one.
    """

    kind: Hashable
    pictures: int


@dataclass
class FeatureCache:
    """Features by picture, the least recently used dropped first when they exceed `limit` bytes.

    `encoded` counts the pictures that went through the tower, `reused` those that did not have to. `output` is how the
    tower dresses its features; known once it has encoded a picture.
    """

    limit: int
    encoded: int = 0
    reused: int = 0
    output: Any = None
    _kept: OrderedDict[Hashable, Features] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def collect(
        self,
        keys: Sequence[Hashable],
        calls: Sequence[Call],
        encode: Callable[[Sequence[int]], Sequence[Features]],
    ) -> list[Features]:
        """The features of each picture of `keys`, of which the distinct unknown ones are encoded.

        `encode` is given positions of pictures with one entry in `calls`, as many as that says, the last repeated where
        there are fewer. What it returns is copied: a picture's features keep no neighbour's memory.
        """
        by_key: dict[Hashable, Features] = {}
        unknown: dict[Call, list[int]] = {}
        for position, key in enumerate(keys):
            if key in by_key:
                self.reused += 1
            elif key in self._kept:
                by_key[key] = self._kept[key]
                self.reused += 1
            else:
                by_key[key] = ()
                unknown.setdefault(calls[position], []).append(position)
        for call, positions in unknown.items():
            for start in range(0, len(positions), call.pictures):
                some = positions[start : start + call.pictures]
                encoded = encode(some + some[-1:] * (call.pictures - len(some)))
                for position, features in zip(some, encoded, strict=False):
                    by_key[keys[position]] = tuple(tensor.clone() for tensor in features)
            self.encoded += len(positions)
        for key, features in by_key.items():
            self._keep(key, features)
        return [by_key[key] for key in keys]

    def clear(self) -> None:
        """Forget all features."""
        self._kept.clear()
        self._bytes = 0

    def _keep(self, key: Hashable, features: Features) -> None:
        if key not in self._kept:
            self._bytes += _size(features)
        self._kept[key] = features
        self._kept.move_to_end(key)
        while self._bytes > self.limit:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)


def _size(features: Features) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in features)
