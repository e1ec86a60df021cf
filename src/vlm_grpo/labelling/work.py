"""What is labelled: items that show no model, verdict or truth, and what may be said of them.

Two kinds: judged reasoning (`verdicts.py`) and the answers of a data set's rows (`answers.py`). Terminal and page ask
either the same way.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.tables import Table

Key = tuple[str, ...]
"""Names an item among all: (row, model), or (row,)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to say of an item: the key that says it, its short name and its meaning (may be empty)."""

    key: str
    name: str
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to label.

    Attributes:
        key: names it, in the labels too.
        texts: what is shown, heading and text.
        pictures: the files that are shown, in order.
        choices: what can be said of it by one key; empty where it is written.
        entry: what is to be written instead, as in "a whole number".
    """

    key: Key
    texts: tuple[tuple[str, str], ...]
    pictures: tuple[Path, ...] = ()
    choices: tuple[Choice, ...]
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Disputed:
    """An item that raters do not agree on: what each said of it, and the notes: of the judge, its reason."""

    item: Item
    said: Mapping[str, str]
    notes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Results:
    """What the labels say together: tables, and the items to look at a second time."""

    tables: tuple[Table, ...]
    disputed: tuple[Disputed, ...]


Labels = Mapping[str, Mapping[Key, Mapping[str, Any]]]
"""annotator -> item -> the label that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A sample to label.

    Attributes:
        instruction: what the annotator is asked to do.
        items: the sample, the same for all annotators.
        names: fields of a label that name its item, in the order of `Item.key`.
        content: (item, what was said: a choice's key, or what was written) -> the fields that say it; None where that
            says nothing.
        fields: those fields, for messages on labels that others wrote.
        results: what the labels of all annotators say together.
    """

    instruction: str
    items: tuple[Item, ...]
    names: tuple[str, ...]
    content: Callable[[Item, str], dict[str, Any] | None]
    fields: tuple[str, ...]
    results: Callable[[Labels], Results]


def in_order_of(work: Work, annotator: str, seed: int) -> list[Item]:
    """The sample in the annotator's own order."""
    return shuffled(work.items, f"{seed} {annotator}")


def shuffled(items: Sequence[Item], seed: str) -> list[Item]:
    """`items` in the random order of `seed`."""
    order = list(items)
    random.Random(seed).shuffle(order)
    return order
