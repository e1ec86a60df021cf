"""Evaluate an arm with probabilities: mass on the answer's words, accuracy by arg max, calibration.

    python -m vlm_grpo.evaluation.probabilities --arm runs/soft/test --out runs/soft/probabilities
    python -m vlm_grpo.evaluation.probabilities --arm runs/base/test --place first --out runs/base/first

Reads a finished, greedy evaluation of any arm (base, merged, LoRA, soft prompt) and asks its model once a row, behind
what it said before its answer, for the probability of each word that the answer can begin with: True and False in the
tokenizer's spellings, or the letters of a choice. `--place stated` is behind the completion's own `<answer>`, or its
start where answers are read bare; `--place first` its start whatever it says. OUT gets probabilities.jsonl (one line a
row), probabilities.json, probabilities.md, reliability.png and, last, manifest.json. The same command goes on where it
was stopped.
"""

import argparse
from pathlib import Path
from typing import Any, get_args

from vlm_grpo import tables
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.evaluation.probabilities.run import Options, ask
from vlm_grpo.evaluation.probabilities.shown import draw_reliability, probability_tables
from vlm_grpo.evaluation.probabilities.words import Place
from vlm_grpo.option_types import seed, whole
from vlm_grpo.paths import user_path
from vlm_grpo.store import atomic


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Ask as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.evaluation.probabilities",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--arm", type=user_path, required=True, metavar="EVALUATION", help="a finished evaluation")
    parser.add_argument("--out", type=user_path, required=True, metavar="DIR", help="output folder")
    parser.add_argument("--place", choices=get_args(Place), default="stated", help="where an answer begins")
    parser.add_argument("--bins", type=whole("--bins", least=1), default=10, help="of the calibration (default 10)")
    parser.add_argument("--seed", type=seed("--seed"), default=0, help="draws the resamples (default 0)")
    given = parser.parse_args(argv)
    summary = ask(given.arm, out=given.out, options=Options(place=given.place, bins=given.bins, seed=given.seed))
    show(summary, arm=given.arm, out=given.out)


def show(summary: dict[str, Any], *, arm: Path, out: Path) -> None:
    """Print the tables and write them and the figure to `out`."""
    made = probability_tables(summary, title=str(arm))
    atomic.write_text(out / "probabilities.md", "\n\n".join(map(tables.to_markdown, made)) + "\n")
    if summary["n"]:
        draw_reliability(summary["calibration"], out / "reliability.png", title="/".join(arm.parts[-3:]))
    print("\n\n".join(map(tables.to_text, made)))


if __name__ == "__main__":
    main()
