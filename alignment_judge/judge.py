"""Judge saved generations: `python alignment_judge/judge.py --help`. Verdicts feed `alignment_judge/statistics.py`."""

import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from vlm_grpo.judge.command import main  # noqa: E402

if __name__ == "__main__":
    main()
