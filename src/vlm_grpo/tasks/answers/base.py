"""What a kind of answer is: how one is asked for, read, compared and written."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.answers.rules import Rule, is_relaxed, stated
from vlm_grpo.tasks.blocks import OPEN
from vlm_grpo.tasks.view import View

FRAME = "{frame}"


def _in_no_other_way(value: Any, relaxed: bool) -> tuple[str, ...]:
    return ()


def in_frame(text: str, view: View) -> str:
    """`text` with the frame of `view` in words in place of `{frame}`."""
    if FRAME not in text:
        return text
    assert view.sizes, f"{text!r} is told of a picture of unknown size"
    return text.replace(FRAME, view.in_words())


@dataclass(frozen=True, kw_only=True)
class AnswerKind:
    """A kind of answer; its values are JSON values.

    Attributes:
        name: our name of it.
        asks: completes the prompt: "then put the final answer, ASKS, inside ..."; `{frame}` in it is where the frame of
            the answer's coordinates is told.
        refused: completes the message on a solution that is none: "solution 'x' is REFUSED".
        parse: (stated text, relaxed) -> the value, None where the text states none, or more than one.
        same: whether a value read is the true one.
        write: the value as text, as a model is taught to say it; `parse` reads it back.
        spellings: (value, relaxed) -> other words for it, each of which `parse` reads back too.
    """

    name: str
    asks: str
    refused: str
    parse: Callable[[str, bool], Any]
    same: Callable[[Any, Any], bool] = operator.eq
    write: Callable[[Any], str] = str
    spellings: Callable[[Any, bool], tuple[str, ...]] = _in_no_other_way

    def asks_in(self, view: View) -> str:
        """`asks` with the frame of `view` in words."""
        return in_frame(self.asks, view)

    def read(self, text: str, rule: Rule = "strict") -> Any:
        """The value that the completion `text` states under `rule`; None when it states none, or cannot be told."""
        part = stated(text, rule)
        return None if part is None else self.parse(part, is_relaxed(rule))

    def reference(self, solution: str) -> Any:
        """The value of a data set's `solution`, tagged or bare; None where it is none."""
        return self.read(solution, "relaxed" if OPEN in solution else "bare_relaxed")

    def solution(self, solution: str, *, where: str) -> Any:
        """As `reference`; `where` opens the `UserError` of a solution that is none."""
        value = self.reference(solution)
        if value is None:
            raise UserError(f"{where}: solution {solution!r} is {self.refused}; mend the row or drop it")
        return value
