"""Judged reasoning with pictures to label, and a label command that serves it in a process of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from vlm_grpo.store import jsonl

HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script> \u202eabc\ud83d'
COUNT = 12


def write_verdicts(folder: Path, *, reasoning: str = "It is to the left, so yes.") -> Path:
    """Twelve items of the model `secretmodel`, every fourth judged a contradiction; pictures below `pictures/`."""
    pictures = folder / "pictures"
    pictures.mkdir()
    records = []
    for i in range(COUNT):
        Image.new("RGB", (64, 48), (20 * i, 90, 200)).save(pictures / f"{i}.png")
        aligns = i % 4 > 0
        records.append(
            {
                "row_id": f"r{i}",
                "model": "secretmodel",
                "repeat": 0,
                "question": f"question {i}",
                "reasoning": reasoning,
                "answer": "True",
                "images": [f"{i}.png"],
                "label": "False",
                "aligns": aligns,
                "type": None if aligns else "contradiction",
                "missing": None,
                "why": "secretreason",
                "judge": "secretjudge",
                "prompt": "taxonomy",
            }
        )
    with jsonl.Appender(folder / "verdicts.jsonl") as file:
        file.append(records)
    return folder / "verdicts.jsonl"


def arguments(folder: Path, *more: str) -> list[str]:
    given = ["--verdicts", folder / "verdicts.jsonl", "--images", folder / "pictures", "--out", folder / "labels.jsonl"]
    return [*map(str, given), *more]


@contextmanager
def serving(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command with --serve as a process: the address it prints, and itself; killed at the end."""
    command = [sys.executable, "-m", "vlm_grpo.labelling.command", *words, "--serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        shown = "".join(process.stdout.readline() for _ in range(2))
        yield re.search(r"http://127\.0\.0\.1:\d+/\S+/", shown)[0], process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
