"""Rows as a model is asked: a template filled in with the problem and with what the row's task asks for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vlm_grpo import prompts
from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.store.provenance import text_hash
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.answers.truth import YES_NO as YES_NO_ANSWER
from vlm_grpo.tasks.registry import task_named, task_of

YES_NO = "yes_no"


@dataclass(frozen=True)
class AskedRow:
    """A row as the model is asked: the rendered `text`, with one placeholder a picture, and its hash."""

    row: Row
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the rendered text."""
        return text_hash(self.text)


def question(row: Row, *, template: str) -> str:
    """The user's text for `row`."""
    return prompts.render(template, row.problem, asks=_asks(row, template))


def messages(row: Row, *, template: str) -> list[dict[str, object]]:
    """`row` as one user turn, its images where the task places them, in the chat format that templates read."""
    marker = task_of(row).marker
    return prompts.messages(template, row.problem, images=len(row.images), asks=_asks(row, template), marker=marker)


def content(asked: str, *, task: str, images: int) -> str | list[dict[str, str]]:
    """What TRL takes as the content of a turn that asks `asked` of a row of `task` with so many `images`.

    The text, which TRL puts behind the images; the parts of the turn where the text says where the images stand.
    """
    marker = task_named(task).marker
    return prompts.placed(asked, images=images, marker=marker) if marker is not None and marker in asked else asked


def texts(row: Row) -> tuple[str, ...]:
    """The parts of the problem of `row` that a model reads as words."""
    parts = prompts.placed(row.problem, images=len(row.images), marker=task_of(row).marker)
    return tuple(part["text"] for part in parts if part["type"] == "text")


def render(rows: Iterable[Row], processor: Any, *, template: str, **chat_template: Any) -> list[AskedRow]:
    """Each row as a user turn in the checkpoint's chat format, up to the tokens that open the assistant's turn.

    `chat_template` is what the chat template is given beside it.
    """
    return [
        AskedRow(
            row,
            processor.apply_chat_template(
                messages(row, template=template), add_generation_prompt=True, tokenize=False, **chat_template
            ),
        )
        for row in rows
    ]


def _asks(row: Row, template: str) -> str:
    kind = task_of(row).answer(row)
    if template == YES_NO and kind not in (TRUTH, YES_NO_ANSWER):
        raise UserError(f"prompt {YES_NO!r} asks for Yes or No, row {row.id} for {kind.asks}; use reason or answer")
    return kind.asks
