"""Which of two arms is right more often on the same rows: `python -m vlm_grpo.evaluation.compare DIR_A DIR_B`.

Prints both scores, the discordant counts and the exact McNemar test; `--out FILE.json` also writes them. Each arm is
read by the rule it was evaluated with. Arms evaluated on different rows are refused.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.datasets import store
from vlm_grpo.datasets.records import Row
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.evaluation.inputs import draw
from vlm_grpo.evaluation.run import KIND, SCORES
from vlm_grpo.evaluation.scores import outcomes, predictions
from vlm_grpo.evaluation.summary import summary_table
from vlm_grpo.results import atomic, manifest, tables
from vlm_grpo.statistics.paired import mcnemar_exact, paired_counts


@dataclass(frozen=True)
class Arm:
    """A finished evaluation: its folder, manifest, scores, rows, generations and what was read from them, by row id."""

    folder: Path
    manifest: dict[str, Any]
    scores: dict[str, Any]
    root: Path
    rows: list[Row]
    generations: dict[str, Generation]
    predicted: dict[str, bool | None]
    right: dict[str, bool]


def open_arm(folder: Path) -> Arm:
    """Read the finished evaluation in `folder`, and its rows from the data set it names."""
    found = manifest.read(folder, kind=KIND)
    config = found["config"]
    root = Path(config["data"])
    rows = draw(store.load(root, config["split"]), limit=config["limit"], seed=config["seed"])
    if store.fingerprint(rows) != found["inputs"]["rows"]:
        raise UserError(f"{folder} was evaluated on other rows than {root} now holds; evaluate it again")
    said = generations.read(folder)
    predicted = predictions(said, rows, rule=config["answers"])
    return Arm(
        folder=folder,
        manifest=found,
        scores=manifest.read_json(folder / SCORES),
        root=root,
        rows=rows,
        generations=said,
        predicted=predicted,
        right=outcomes(predicted, rows),
    )


def compare(first: Arm, second: Arm) -> dict[str, Any]:
    """Discordant counts and the exact McNemar test.

    `b` rows only the first arm got right, `c` only the second; `difference` is the second's accuracy less the first's.
    """
    if first.manifest["inputs"]["rows"] != second.manifest["inputs"]["rows"]:
        paired_counts(first.right, second.right)
        raise UserError(f"{first.folder} and {second.folder} were evaluated on rows that share ids but not content")
    counts = paired_counts(first.right, second.right)
    return {
        "n": counts.n,
        "b": counts.b,
        "c": counts.c,
        "difference": counts.difference,
        "mcnemar_p": mcnemar_exact(counts.b, counts.c),
    }


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, metavar="DIR_A", help="folder of a finished evaluation")
    parser.add_argument("second", type=Path, metavar="DIR_B", help="another one, on the same rows")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="also write the comparison there")
    given = parser.parse_args(argv)
    first, second = open_arm(given.first), open_arm(given.second)
    found = compare(first, second)
    arms = {str(given.first): first.scores, str(given.second): second.scores}
    print(tables.to_text(summary_table(arms, title=f"Split {first.scores['split']}")))
    print(
        f"only the first right: b = {found['b']}; only the second right: c = {found['c']}; "
        f"exact McNemar p = {found['mcnemar_p']:.3g}; accuracy of the second less the first: {found['difference']:+.3f}"
    )
    if given.out:
        atomic.write_json(given.out, {"first": str(given.first), "second": str(given.second), **found})


if __name__ == "__main__":
    main()
