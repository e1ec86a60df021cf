"""Agreement of judges and people, and rates corrected for judge error: `python alignment_judge/agreement.py --help`."""

import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from vlm_grpo.paper.agreement_command import main  # noqa: E402

if __name__ == "__main__":
    main()
