"""Alignment tables from stored or own verdicts: `python alignment_judge/statistics.py --help`.

The study's tables need no argument, no network, no key and no torch. This folder leaves `sys.path` first: the file is
called `statistics`, and what it imports must get the standard library's module of that name.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent / "src"), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

from vlm_grpo.start import start  # noqa: E402

if __name__ == "__main__":
    start("vlm_grpo.paper.tables_command")
