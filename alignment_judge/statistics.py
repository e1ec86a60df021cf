"""Alignment tables from stored or own verdicts: `python alignment_judge/statistics.py --help`.

The study's tables need no argument, no network and no key. This folder leaves `sys.path` first: the file is called
`statistics`, and what it imports must get the standard library's module of that name.
"""

import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from vlm_grpo.paper.tables_command import main  # noqa: E402

if __name__ == "__main__":
    main()
