"""Rows as a model is asked: a template filled in with the problem and with what the row's task asks for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vlm_grpo import prompts
from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.store.provenance import text_hash
from vlm_grpo.tasks.answers.base import in_frame
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.answers.truth import YES_NO as YES_NO_ANSWER
from vlm_grpo.tasks.registry import task_named, task_of
from vlm_grpo.tasks.view import AS_IS, View

YES_NO = "yes_no"
ADDED_CAPTION = "added_caption"
"""Key of a row's `meta`: what a model is told of the picture before the question, which no reward or task reads."""
ADDED_THOUGHT = "added_thought"
"""Key of a row's `meta`: what the completion begins with, whatever the model says; rewards read both as one text."""


@dataclass(frozen=True)
class AskedRow:
    """A row as the model is asked: the rendered `text`, with one placeholder a picture, and its hash."""

    row: Row
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the rendered text."""
        return text_hash(self.text)


def question(row: Row, *, template: str, view: View = AS_IS) -> str:
    """The user's text for `row`; `view` is how the model sees its pictures, which an answer in them is asked for in."""
    return prompts.render(template, _told(row, template, view), asks=_asks(row, template, view))


def messages(row: Row, *, template: str, view: View = AS_IS) -> list[dict[str, object]]:
    """`row` as one user turn, its images where the task places them, in the chat format that templates read."""
    marker, asks, problem = task_of(row).marker, _asks(row, template, view), _told(row, template, view)
    return prompts.messages(template, problem, images=len(row.images), asks=asks, marker=marker)


def asker(template: str, views: Mapping[str, View]) -> Callable[[Row], list[dict[str, object]]]:
    """`messages` of any of the rows that `views`, by row id, say the pictures of."""
    return lambda row: messages(row, template=template, view=views[row.id])


def content(asked: str, *, task: str, images: int) -> str | list[dict[str, str]]:
    """What TRL takes as the content of a turn that asks `asked` of a row of `task` with so many `images`.

    The text, which TRL puts behind the images; the parts of the turn where the text says where the images stand.
    """
    marker = task_named(task).marker
    return prompts.placed(asked, images=images, marker=marker) if marker is not None and marker in asked else asked


def texts(row: Row) -> tuple[str, ...]:
    """The parts of the problem of `row` that a model reads as words."""
    parts = prompts.placed(_problem(row), images=len(row.images), marker=task_of(row).marker)
    return tuple(part["text"] for part in parts if part["type"] == "text")


def render(
    rows: Iterable[Row],
    processor: Any,
    *,
    template: str,
    views: Mapping[str, View] | None = None,
    **chat_template: Any,
) -> list[AskedRow]:
    """Each row as a user turn in the checkpoint's chat format, up to the tokens that open the assistant's turn.

    `views`, by row id, are needed where an answer lies in a picture; `chat_template` is what the chat template is given
    beside the turn.
    """
    seen = views or {}
    asked = ((row, messages(row, template=template, view=seen.get(row.id, AS_IS))) for row in rows)
    return [
        AskedRow(row, processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False, **chat_template))
        for row, turns in asked
    ]


def with_caption(row: Row, caption: str) -> Row:
    """`row`, which is asked with `caption` before its question from here on."""
    return row.model_copy(update={"meta": {**row.meta, ADDED_CAPTION: caption}})


def with_thought(row: Row, beginning: str) -> Row:
    """`row`, the completions of which begin with `beginning` from here on."""
    return row.model_copy(update={"meta": {**row.meta, ADDED_THOUGHT: beginning}})


def beginning_of(row: Row) -> str:
    """What completions of `row` begin with; empty where the model begins them."""
    return str(row.meta.get(ADDED_THOUGHT, ""))


def _problem(row: Row) -> str:
    return f"{row.meta[ADDED_CAPTION]} {row.problem}" if ADDED_CAPTION in row.meta else row.problem


def _asks(row: Row, template: str, view: View) -> str:
    kind = task_of(row).answer(row)
    asks = kind.asks_in(view)
    if template == YES_NO and kind not in (TRUTH, YES_NO_ANSWER):
        raise UserError(f"prompt {YES_NO!r} asks for Yes or No, row {row.id} for {asks}; use reason or answer")
    return asks


def _told(row: Row, template: str, view: View) -> str:
    """The problem and, where the template asks for reasoning, how that is to be written."""
    problem, manner = _problem(row), task_of(row).manner(row)
    if not manner or not prompts.asks_to_reason(template):
        return problem
    return f"{problem}{'' if problem.endswith(chr(10)) else ' '}{in_frame(manner, view)}"
