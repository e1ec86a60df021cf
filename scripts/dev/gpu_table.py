"""One table of what `gpu_check.sh` measured: `python scripts/dev/gpu_table.py OUT PART ...`.

A part's figures are the ratios, seconds and the like at the top of its JSON (of each of its `results`, where it has
several), or the last line of its log where it wrote none.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
import trl

TIMED_OUT = (124, 137)
SHOWN = ("batch", "generate", "engine", "ratio", "seconds", "ms", "tokens_per_second", "equal", "new", "same")


def main(out: Path, *parts: str) -> None:
    """Print the table of the `parts` that ran, and on what."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(f"{device}; torch {torch.__version__}, transformers {transformers.__version__}, trl {trl.__version__}\n")
    print("| part | result | s | figures |\n|---|---|---|---|")
    for part in parts:
        code = out / f"{part}.code"
        if code.is_file():
            status, seconds = map(int, code.read_text().split())
            result = "ok" if status == 0 else "out of time" if status in TIMED_OUT else f"failed ({status})"
            print(f"| {part} | {result} | {seconds} | {figures(out, part)} |")


def figures(out: Path, part: str) -> str:
    """What `part` measured, or said last."""
    measured = out / f"{part}.json"
    if measured.is_file():
        content: dict[str, Any] = json.loads(measured.read_text())
        return " / ".join(
            "; ".join(f"{name} {plain(one[name])}" for name in one if any(word in name for word in SHOWN))
            for one in content.get("results", [content])
        )
    lines = (out / f"{part}.log").read_text(errors="replace").strip().splitlines()
    return lines[-1].replace("|", "/")[:120] if lines else ""


def plain(value: Any) -> str:
    """A number, or a few by name, short."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(part)}" for name, part in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
