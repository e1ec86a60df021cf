"""The audit of the published score files, as Markdown: `python alignment_judge/audit.py [--out FILE]`."""

import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from vlm_grpo.paper.audit_command import main  # noqa: E402

if __name__ == "__main__":
    main()
