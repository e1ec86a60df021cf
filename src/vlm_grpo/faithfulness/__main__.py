"""Probe whether an evaluated arm uses its reasoning, its picture, and what it is told.

    python -m vlm_grpo.faithfulness --arm runs/grpo/test --out runs/grpo/probes
    python -m vlm_grpo.faithfulness --arm runs/grpo/test --probe wrong_think early_answering --out runs/grpo/probes

Reads a finished, greedy evaluation and asks its model again, each row changed by each probe. OUT gets probes.jsonl (one
line a row and probe), faithfulness.json, probes.md, survival.png, probes.png and, last, manifest.json. The same command
goes on where it was stopped. What each probe changes and what it can tell: docs/faithfulness.md.
"""

import argparse
from pathlib import Path
from typing import Any

from vlm_grpo import tables
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.faithfulness import figures
from vlm_grpo.faithfulness.probes import PROBES
from vlm_grpo.faithfulness.run import probe
from vlm_grpo.faithfulness.scores import CURVE
from vlm_grpo.faithfulness.tables import probe_tables
from vlm_grpo.option_types import seed, whole
from vlm_grpo.paths import user_path
from vlm_grpo.store import atomic


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Probe as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.faithfulness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--arm", type=user_path, required=True, metavar="EVALUATION", help="a finished evaluation")
    parser.add_argument(
        "--probe", nargs="+", metavar="NAME", default=list(PROBES), help=f"of {', '.join(PROBES)}; default: all"
    )
    parser.add_argument("--out", type=user_path, required=True, metavar="DIR", help="output folder")
    parser.add_argument(
        "--mistakes", type=user_path, metavar="FILE", help="those of ask_mistakes, where no rule makes one"
    )
    parser.add_argument("--limit", type=whole("--limit", least=1), metavar="N", help="only the first N rows")
    parser.add_argument("--seed", type=seed("--seed"), default=0, help="draws wrong answers and pictures (default 0)")
    given = parser.parse_args(argv)
    for name in given.probe:
        if name not in PROBES:
            raise UserError(f"unknown probe {name!r}; known: {', '.join(PROBES)}")
    names = [name for name in PROBES if name in given.probe]
    summary = probe(given.arm, out=given.out, names=names, seed=given.seed, limit=given.limit, mistakes=given.mistakes)
    show(summary, arm=given.arm, out=given.out)


def show(summary: dict[str, Any], *, arm: Path, out: Path) -> None:
    """Print the tables and write them and the figures to `out`."""
    made = probe_tables(summary, title=str(arm))
    atomic.write_text(out / "probes.md", "\n\n".join(map(tables.to_markdown, made)) + "\n")
    if any(probes["n"] for probes in summary["probes"].values()):
        figures.draw_probes({str(arm): summary["probes"]}, out / "probes.png")
    if summary.get(CURVE, {}).get("n"):
        figures.draw_survival({str(arm): summary[CURVE]}, out / "survival.png")
    print("\n\n".join(map(tables.to_text, made)))


if __name__ == "__main__":
    main()
