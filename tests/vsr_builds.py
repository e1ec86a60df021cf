"""`python -m vlm_grpo.datasets.vsr` as tests call it."""

from pathlib import Path

import pytest

from refusals import refusal
from vlm_grpo.tasks.vsr import command as vsr


def build(out: Path, source: Path | str, *more: str) -> None:
    """Build `out` from captions; a picture that cannot be had is not asked for again."""
    vsr.main(["--out", str(out), "--jsonl", str(source), "--retries", "0", *more])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that the command ends with; how far the pictures are may stand beside it."""
    return refusal(capsys, vsr.main, arguments, alone=False).removeprefix("error: ")
