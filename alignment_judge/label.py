"""Label judged reasoning blind, in the terminal or in the browser: `python alignment_judge/label.py --help`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent / "src"), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

from vlm_grpo.start import start  # noqa: E402

if __name__ == "__main__":
    start("vlm_grpo.labelling.command")
