"""Whether a checkpoint can be asked a row, told when a data set is opened for it or built for it.

Text that holds one of the tokenizer's special tokens is not read as words: `<image>` in a caption asks for a picture
that is not there, `<|im_end|>` ends the turn. And a picture may have a shape that the family's processor refuses.
Lengths are for `lengths.py`.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.errors import UserError
from vlm_grpo.rows.images import upright_size
from vlm_grpo.rows.records import Row


def problem_alone(row: Row) -> tuple[str, ...]:
    """The text of `row` that a model reads where it is asked only."""
    return (row.problem,)


class Askable:
    """Why rows cannot be asked of the model of `adapter` and `processor`; `root` is where their pictures lie.

    `texts` gives what the model reads of a row: its problem, and in SFT the answer it learns to give.
    """

    def __init__(
        self, adapter: Adapter, processor: Any, *, root: Path, texts: Callable[[Row], Iterable[str]] = problem_alone
    ) -> None:
        self._adapter, self._root, self._texts = adapter, root, texts
        self._tokens = special_tokens(adapter, processor.tokenizer)
        self._faults: dict[str, str | None] = {}

    def fault(self, row: Row) -> str | None:
        """Why `row` cannot be asked; None: it can."""
        for text in self._texts(row):
            held = next((token for token in self._tokens if token in text), None)
            if held is not None:
                return (
                    f"its text holds {held!r}, which this model reads as a control token and not as words: write it "
                    "otherwise, say with spaces between its letters"
                )
        return next((fault for name in row.images if (fault := self._picture(name))), None)

    def _picture(self, name: str) -> str | None:
        if name not in self._faults:
            refused = self._adapter.refuses(upright_size(self._root / name))
            self._faults[name] = refused and f"picture {self._root / name} {refused}: crop it"
        return self._faults[name]


def special_tokens(adapter: Adapter, tokenizer: Any) -> list[str]:
    """The texts that stand for a control token or a picture, the longest first."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    return sorted({*added, *tokenizer.all_special_tokens, *adapter.placeholder_tokens}, key=lambda t: (-len(t), t))


def check_askable(rows: Iterable[Row], askable: Askable, *, where: str) -> None:
    """`UserError` that counts the rows that cannot be asked and names the first; `where` opens its line."""
    rows = list(rows)
    faults = [(row.id, fault) for row in rows if (fault := askable.fault(row))]
    if faults:
        first, fault = faults[0]
        raise UserError(
            f"{where}: {len(faults)} of {len(rows)} rows cannot be asked of this model, the first is row {first}: "
            f"{fault}, or leave out such rows"
        )
