"""The command behind `alignment_judge/audit.py`: print the audit of the published scores, or keep it in a file."""

import argparse
import sys
from collections.abc import Sequence

from vlm_grpo.errors import exits_cleanly
from vlm_grpo.paper import audit, published
from vlm_grpo.paper.recomputed import recompute
from vlm_grpo.paths import user_path
from vlm_grpo.store import atomic


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report; exit code 1 when a stored score file is not reproduced."""
    p = argparse.ArgumentParser(
        prog="audit.py", description="Recompute the 32 stored score files and show what is wrong."
    )
    p.add_argument(
        "--out", type=user_path, help="write the Markdown report here (the kept one: results/paper/audit.md)"
    )
    p.add_argument("--paper", type=user_path, default=published.PAPER, help="folder of published.json")
    options = p.parse_args(arguments)
    facts = published.load(options.paper)
    text = audit.markdown(facts)
    print(text)
    if options.out is not None:
        atomic.write_text(options.out, text + "\n")
    differing = [f.name for f in map(recompute, facts["scores"]) if not f.reproduced]
    if differing:
        print(f"check: not reproduced: {'; '.join(differing)}", file=sys.stderr)
        sys.exit(1)
