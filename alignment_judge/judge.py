"""Judge saved generations: `python alignment_judge/judge.py --help`. Verdicts feed `alignment_judge/statistics.py`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent / "src"), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

from vlm_grpo.start import start  # noqa: E402

if __name__ == "__main__":
    start("vlm_grpo.judge.command")
