"""Free text: compared without regard to case, spaces and a final period."""

import unicodedata

from vlm_grpo.tasks.answers.base import AnswerKind


def parse(text: str, relaxed: bool) -> str | None:
    """`text` with single spaces; None where it is empty. Relaxed: without surrounding quotes, asterisks and period."""
    value = " ".join(text.split())
    if relaxed:
        value = value.strip("\"'`*“”‘’ ").removesuffix(".").strip("\"'`*“”‘’ ")
    return value or None


def same(said: str, truth: str) -> bool:
    """Whether the two are the same words."""
    return _folded(said) == _folded(truth)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().removesuffix(".").strip()


TEXT = AnswerKind(name="text", asks="as short as possible", refused="empty", parse=parse, same=same)
