"""Report what arms learnt of a planted shortcut, from their finished evaluations.

    python -m vlm_grpo.bias.report --out results/bias --arm base=RUNS/base \\
        --arm sft:0=RUNS/sft0 --arm sft:0.9=RUNS/sft9 --arm grpo:0=RUNS/grpo0 --arm grpo:0.9=RUNS/grpo9

An arm is called [FAMILY/]METHOD[:LEVEL][@SEED]: qwen/sft:0.9@42. Methods of one family, level and seed are compared on
the same rows; each level is compared with the level --reference. An arm given several times has several evaluations:
for a visual cue those of test_cued and test_counter, and that of test, which scores it without the cue.

Rows fall into groups as the data set that was evaluated says (columns shortcut and bias_group). Arms whose evaluations
lie on other copies of the rows, such as an arm of the original data, are put into groups by --groups-from FOLDER.

OUT gets bias.json, bias.md, bias.png and, last, manifest.json. The tables are printed at the end.
"""

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlm_grpo import drawing, escapes
from vlm_grpo.bias.level_names import canonical_level
from vlm_grpo.bias.marks import GROUPS
from vlm_grpo.bias.report.answered import BiasArm, check_comparable, open_bias_arm
from vlm_grpo.bias.report.arm_names import read_name
from vlm_grpo.bias.report.comparisons import REFERENCE, level_changes, method_pairs, spread
from vlm_grpo.bias.report.figure import groups_and_gap
from vlm_grpo.bias.report.groups import arm_scores
from vlm_grpo.bias.report.tables import all_tables
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.evaluation import generations
from vlm_grpo.option_types import seed
from vlm_grpo.paths import user_path
from vlm_grpo.store import atomic, manifest
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tables import to_markdown, to_text

KIND = "bias report"
NUMBERS, TEXT, FIGURE = "bias.json", "bias.md", "bias.png"


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    given = parser().parse_args(arguments)
    figures = report(
        given.out,
        arms=_named(given.arm),
        groups_from=given.groups_from,
        reference=given.reference,
        title=given.title,
        seed=given.seed,
    )
    if given.json is not None:
        atomic.write_json(given.json, figures)
    print("\n\n".join(to_text(table) for table in all_tables(figures)))
    print(f"\nreport: {given.out / TEXT}")


def parser() -> argparse.ArgumentParser:
    """Every option, with what it does and its default."""
    made = argparse.ArgumentParser(
        prog="python -m vlm_grpo.bias.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--arm", action="append", required=True, metavar="NAME=DIR", help="a finished evaluation")
    made.add_argument(
        "--groups-from", type=user_path, metavar="FOLDER", help="biased data set whose groups all arms take"
    )
    made.add_argument("--reference", default=REFERENCE, metavar="LEVEL", help="unbiased level (default %(default)s)")
    made.add_argument("--title", default="What the arms learnt of the shortcut", help="heading of the report")
    made.add_argument("--seed", type=seed("--seed"), default=0, help="of the bootstrap (default 0)")
    made.add_argument("--json", type=user_path, metavar="FILE", help="write the numbers there too")
    made.add_argument("--out", type=user_path, required=True, metavar="DIR", help="folder of the report")
    return made


def report(
    out: Path,
    *,
    arms: Mapping[str, Sequence[Path]],
    groups_from: Path | None = None,
    reference: str = REFERENCE,
    title: str,
    seed: int = 0,
) -> dict[str, Any]:
    """Write the report on `arms` (evaluations by name) to `out` and return its numbers."""
    started = time.monotonic()
    reference = canonical_level(reference)
    names = {str(read_name(name)): name for name in arms}
    if len(names) < len(arms):
        raise UserError(f"two of the arms {', '.join(arms)} have one name; levels go by value, 0.90 is 0.9")
    opened = {name: open_bias_arm(read_name(name), arms[word], groups_from=groups_from) for name, word in names.items()}
    figures = numbers(opened, reference=reference, seed=seed)
    manifest.claim(out, {"kind": KIND})
    (out / manifest.MANIFEST).unlink(missing_ok=True)
    atomic.write_json(out / NUMBERS, figures)
    drawing.save(groups_and_gap(figures), out / FIGURE)
    tables = "\n\n".join(to_markdown(table) for table in all_tables(figures))
    atomic.write_text(
        out / TEXT, f"# {escapes.markdown(title)}\n\n{tables}\n\n![Accuracy by group, and the gap]({FIGURE})\n"
    )
    manifest.write(
        out,
        kind=KIND,
        config={
            "title": title,
            "arms": {name: [str(folder) for folder in folders] for name, folders in arms.items()},
            "groups_from": str(groups_from) if groups_from is not None else None,
            "reference": reference,
        },
        inputs={str(folder): file_hash(folder / generations.FILE) for folders in arms.values() for folder in folders},
        counts={"rows": sum(figures["groups"].values()), "arms": len(arms)},
        seconds=time.monotonic() - started,
        seeds={"bootstrap": seed},
    )
    return figures


def numbers(arms: Mapping[str, BiasArm], *, reference: str, seed: int) -> dict[str, Any]:
    """All numbers of the report, ready for `bias.json`. `UserError` when arms did not answer the same rows."""
    check_comparable(arms)
    first = next(iter(arms.values()))
    scores = {name: arm_scores(arm) for name, arm in arms.items()}
    counts = Counter(answer.group for answer in first.answers.values())
    return {
        "splits": {
            one.scores["split"]: {
                "n": len(one.rows),
                "of": one.scores["split_rows"],
                "seed": one.manifest["config"]["seed"],
            }
            for one in first.evaluations
        },
        "groups": {group: counts[group] for group in GROUPS},
        "reference": reference,
        "arms": scores,
        "pairs": method_pairs(arms, seed=seed),
        "changes": level_changes(arms, reference=reference, seed=seed),
        "spread": spread(scores),
    }


def _named(words: Sequence[str]) -> dict[str, list[Path]]:
    """`NAME=DIR` words as folders by name, in the order given."""
    by_name: dict[str, list[Path]] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        if not (name and equals and folder):
            raise UserError(f"--arm {word}: expected NAME=DIR")
        for other, folders in by_name.items():
            if user_path(folder) in folders:
                raise UserError(f"--arm {name}: {folder} is the evaluation of {other} already; give each folder once")
        by_name.setdefault(str(read_name(name)), []).append(user_path(folder))
    return by_name
