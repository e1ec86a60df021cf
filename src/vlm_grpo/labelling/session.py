"""One annotator's way through the sample: what is next, what was skipped, what can be undone.

Every label is on disk when `label` returns. Skipped items come again behind the others, and at every new start.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.labelling import records
from vlm_grpo.labelling.work import Item, Key, Work, in_order_of
from vlm_grpo.store import jsonl


class Session:
    """The items that `annotator` has yet to label in `path`, in their own order."""

    def __init__(self, work: Work, path: Path, annotator: str, *, seed: int) -> None:
        if not annotator.strip():
            raise UserError("--annotator is empty; give your name or initials")
        self.work, self.path, self.annotator = work, path, annotator
        self._names = work.names
        done = records.read(path, work).get(annotator, {})
        order = in_order_of(work, annotator, seed)
        self._left = [item for item in order if item.key not in done]
        by_key = {item.key: item for item in order}
        self._done = [(by_key[key], label) for key, label in done.items() if key in by_key]

    @property
    def item(self) -> Item | None:
        """The item to label now; None when all are done."""
        return self._left[0] if self._left else None

    @property
    def done(self) -> int:
        """Items of the sample that are labelled."""
        return len(self._done)

    def label(self, key: Key, said: str, *, note: str = "", seconds: float | None = None) -> bool:
        """Store what was said of the item `key`; False, and nothing is stored, where it says nothing.

        `KeyError` where that item is not the one to label now: the page is behind.
        """
        item = self._current(key)
        content = self.work.content(item, said)
        if content is None:
            return False
        record = records.record_of(item, self._names, content, self.annotator, note=note, seconds=seconds)
        self._append(record)
        self._left.pop(0)
        self._done.append((item, record))
        return True

    def skip(self, key: Key) -> None:
        """Put the item behind all others; `KeyError` as `label`."""
        self._left.append(self._left.pop(self._left.index(self._current(key))))

    def undo(self) -> bool:
        """Take back the last label and show its item again; False where there is none."""
        if not self._done:
            return False
        item, record = self._done.pop()
        self._append({**record, "undone": True})
        self._left.insert(0, item)
        return True

    def _current(self, key: Key) -> Item:
        if self.item is None or self.item.key != key:
            raise KeyError(key)
        return self.item

    def _append(self, record: Mapping[str, Any]) -> None:
        with jsonl.Appender(self.path) as file:
            file.append([dict(record)])
