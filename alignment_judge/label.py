"""Label judged reasoning blind, in the terminal: `python alignment_judge/label.py --help`."""

import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from vlm_grpo.alignment.label_command import main  # noqa: E402

if __name__ == "__main__":
    main()
