"""`generations.jsonl`: one line a row, what was asked of which model and what it said.

The file is appended batch by batch and read again after a kill. Every line carries what it depends on, so lines of
another model, split, prompt or decoding are refused and never scored as if they were this run's.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import records_by_id
from vlm_grpo.evaluation.records_by_id import RowRecord

FILE = "generations.jsonl"


class Origin(BaseModel):
    """What all lines of one file share. `model` is a name for people; the fingerprints say which weights answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    model: str
    model_fingerprint: str
    adapter_fingerprint: str | None
    prompt: str
    sampling: dict[str, Any]


class Generation(RowRecord, Origin):
    """One line.

    Attributes:
        id: the row.
        images: its pictures, relative to the data set's root.
        task: what kind of question it is; files of earlier versions, which do not say, are VSR's.
        problem: the row's question and `solution` its true answer, for readers without the data set (the judge).
        prompt: name of the template; `prompt_hash` is the SHA-256 of the prompt as rendered for the model.
        text: the completion without special tokens; the last of the model's turns where an environment answers it.
        turns: all turns then, of both, as `environments.conversation.spoken` has them; absent otherwise.
        prompt_tokens: length of the prompt, image tokens included.
        completion_tokens: length of the completion, its end token included; of all turns, the environment's too.
        finish_reason: "stop" after an end token, "length" when cut off at `max_new_tokens`.
    """

    images: tuple[str, ...]
    task: str = "vsr"
    problem: str
    solution: str
    prompt_hash: str
    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: Literal["stop", "length"]
    turns: list[dict[str, Any]] | None = None

    def as_line(self) -> dict[str, Any]:
        """What the file's line holds."""
        return self.model_dump(mode="json", exclude=None if self.turns is not None else {"turns"})

    @property
    def said(self) -> list[str]:
        """What the model said, turn by turn."""
        turns = [{"role": "assistant", "text": self.text}] if self.turns is None else self.turns
        return [turn["text"] for turn in turns if turn["role"] == "assistant"]


_DECIDING = tuple(name for name in Origin.model_fields if name != "model")


def read(folder: Path, *, is_finished: bool = False) -> dict[str, Generation]:
    """The generations in `folder` by row id, in the order written; none when there is no file yet.

    `is_finished` says that nobody is writing there any more (`jsonl.read`).
    """
    return records_by_id.read(
        folder / FILE,
        Generation,
        is_finished=is_finished,
        damaged="remove that line",
        twice="remove one of the lines",
    )


def check_origin(by_id: dict[str, Generation], source: Origin, *, hashes: dict[str, str], where: Path) -> None:
    """`UserError` naming the first generation that is not of `source`, or not of a row in `hashes`.

    `hashes` maps the ids of the rows asked for to the hash of their rendered prompt.
    """
    for generation in by_id.values():
        for name in _DECIDING:
            there, wanted = getattr(generation, name), getattr(source, name)
            if there != wanted:
                raise UserError(
                    f"{where}: row {generation.id!r} was generated with {name} {there!r}, this run has {wanted!r}; "
                    "choose another output folder"
                )
        if generation.id not in hashes:
            raise UserError(f"{where}: row {generation.id!r} is not in split {source.split!r}; choose another folder")
        if generation.prompt_hash != hashes[generation.id]:
            raise UserError(f"{where}: row {generation.id!r} was asked with another prompt; choose another folder")
