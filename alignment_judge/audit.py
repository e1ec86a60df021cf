"""The audit of the published score files, as Markdown: `python alignment_judge/audit.py [--out FILE]`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent / "src"), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

from vlm_grpo.start import start  # noqa: E402

if __name__ == "__main__":
    start("vlm_grpo.paper.audit_command")
