"""The table of text-bias levels, computed from facts and compared with the study's.

`published` levels come out exactly as in the study; `balanced` ones stand beside them to show what holding prior and
size still changes. The published figures are in `results/paper/published.json`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlm_grpo.bias.cases import Case, label_counts, true_rows
from vlm_grpo.bias.probe.relation import relation_probe
from vlm_grpo.bias.text import published
from vlm_grpo.bias.text.counter import counter_cases
from vlm_grpo.bias.text.sets import Biased, Level, make
from vlm_grpo.pair_names import pair_names
from vlm_grpo.paper import published as paper_figures
from vlm_grpo.tables import Table

TRAIN = "train"
UNBIASED = "unbiased"
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
Splits = Mapping[str, Sequence[Case]]


def all_levels(splits: Splits, *, seed: int) -> dict[str, Biased]:
    """Every level of the table by its name: the whole split, the study's five, and `STRENGTHS` in balance."""
    train = list(splits[TRAIN])
    names = {name: Level("published", keep=keep, seed=seed) for name, keep in published.LEVELS.items()}
    names[published.EXTREME_NAME] = Level("published", seed=seed)
    names |= {f"strength {s:g}": Level("balanced", strength=s, seed=seed) for s in STRENGTHS}
    majority = {relation: labels[True] >= labels[False] for relation, labels in label_counts(train).items()}
    whole = Biased(Level("published", seed=seed), train, majority)
    return {UNBIASED: whole} | {name: make(train, level) for name, level in names.items()}


def measure(biased: Biased, splits: Splits) -> dict[str, Any]:
    """What the table tells of one level: counts, probe, and how held-out rows fall into groups."""
    others = {name: cases for name, cases in splits.items() if name != TRAIN}
    seed = biased.level.seed
    return {
        "rows": len(biased.cases),
        "true_rows": biased.true_rows,
        "true_share": biased.true_rows / len(biased.cases),
        "relations": len(label_counts(biased.cases)),
        "duplicates": len(biased.copies),
        "agreeing_share": biased.agreeing_share,
        "probe": relation_probe(biased.cases, others, seed=seed),
        "groups": {name: biased.groups(cases) for name, cases in others.items()},
        "counter_rows": {n: len(counter_cases(cases, biased.shortcut, seed=seed)) for n, cases in others.items()},
        **biased.details,
    }


def all_tables(figures: Mapping[str, Any]) -> list[Table]:
    """The tables of `data_counts` ("data") and of every `measure` by level ("levels")."""
    levels = figures["levels"]
    return [data_table(figures["data"]), levels_table(levels), probe_table(levels), groups_table(levels)]


def levels_table(levels: Mapping[str, Mapping[str, Any]]) -> Table:
    """One line a level."""
    return Table(
        title="Text bias: levels",
        header=("level", "rows", "true", "true share", "copies", "agreeing", "probe"),
        rows=tuple(
            (
                name,
                str(level["rows"]),
                str(level["true_rows"]),
                f"{level['true_share']:.3f}",
                str(level["duplicates"]),
                f"{level['agreeing_share']:.3f}",
                f"{level['probe']['in_sample']['accuracy']:.5f}" if level["probe"] else "–",
            )
            for name, level in levels.items()
        ),
        notes=(
            "acc: the study's levels, called after the probe's in-sample accuracy; strength: balanced sets",
            "agreeing: share of rows with their relation's shortcut label",
            "probe: in-sample accuracy of a logistic regression on the relation",
        ),
    )


def probe_table(levels: Mapping[str, Mapping[str, Any]]) -> Table:
    """How often the probe is right, on the rows it was fitted on and on others; levels without one are left out."""
    measured = {name: level["probe"] for name, level in levels.items() if level["probe"]}
    parts = list(next(iter(measured.values()), {}))
    return Table(
        title="Accuracy of the probe",
        header=("level", *(part.replace("_", "-") for part in parts)),
        rows=tuple((name, *(_accuracy(scores[part]) for part in parts)) for name, scores in measured.items()),
        notes=(
            "Wilson's 95 % interval; validation and test: the rows whose relation the training rows have",
            "cross-validated at strength 0: below one half, as a row held out leaves its relation's other label ahead",
        ),
    )


def _accuracy(share: Mapping[str, Any] | None) -> str:
    return f"{share['accuracy']:.3f} ({share['ci_low']:.3f} to {share['ci_high']:.3f})" if share else "–"


def groups_table(levels: Mapping[str, Mapping[str, Any]]) -> Table:
    """How the rows of each held-out split fall into groups, and how many make its counter-biased part.

    Levels of one shortcut share their lines.
    """
    names: dict[tuple[str, ...], list[str]] = {}
    for name, level in levels.items():
        for split, groups in level["groups"].items():
            line = (split, *(str(count) for count in groups.values()), str(level["counter_rows"][split]))
            names.setdefault(line, []).append(name)
    return Table(
        title="Held-out rows by group",
        header=("level", "split", "agreeing", "opposing", "neutral", "counter-biased"),
        rows=tuple((same[0] if len(same) == 1 else f"{same[0]} … {same[-1]}", *line) for line, same in names.items()),
        notes=("neutral: the training rows do not have the relation",),
    )


def data_counts(splits: Splits) -> dict[str, Any]:
    """What the source itself brings: counts of each split, pictures in two splits, pictures with both labels."""
    images = {name: {case.image for case in cases} for name, cases in splits.items()}
    trained = {case.relation for case in splits[TRAIN]}
    labels: dict[str, set[bool]] = {}
    for case in splits[TRAIN]:
        labels.setdefault(case.image, set()).add(case.label)
    return {
        "splits": {
            name: {
                "rows": len(cases),
                "true": true_rows(cases),
                "false": len(cases) - true_rows(cases),
                "relations": len({case.relation for case in cases}),
                "images": len(images[name]),
            }
            for name, cases in splits.items()
        },
        "shared_images": {name: len(images[a] & images[b]) for name, (a, b) in pair_names(images).items()},
        "train_images_with_both_labels": sum(len(seen) == 2 for seen in labels.values()),
        "neutral_relations": {
            name: dict(Counter(case.relation for case in cases if case.relation not in trained))
            for name, cases in splits.items()
        },
    }


def data_table(counts: Mapping[str, Any]) -> Table:
    """The splits as they come."""
    shared = ", ".join(f"{pair} {count}" for pair, count in counts["shared_images"].items())
    unseen = [
        f"{r} ({n} rows, {name})" for name, neutral in counts["neutral_relations"].items() for r, n in neutral.items()
    ]
    return Table(
        title="The data before any bias",
        header=("split", "rows", "true", "false", "relations", "pictures"),
        rows=tuple((name, *map(str, figures.values())) for name, figures in counts["splits"].items()),
        notes=(
            f"pictures in two splits: {shared}",
            f"training pictures with captions of both labels: {counts['train_images_with_both_labels']}",
            *([f"relations that training rows do not have: {', '.join(unseen)}"] if unseen else []),
        ),
    )


def differences(ours: Mapping[str, Any], paper: Path) -> list[str]:
    """Every figure that differs from the published one, as one line each; none when all are reproduced."""
    figures = paper_figures.load(paper)
    levels, counts = ours["levels"], ours["data"]
    differing = []
    for split, theirs in figures["vsr_counts"].items():
        if split in counts["splits"]:
            differing += _differing(split, counts["splits"][split], theirs)
    for theirs in figures["text_bias_levels"]:
        level = levels[theirs["name"]]
        accuracy = level["probe"]["in_sample"]["accuracy"] if level["probe"] else None
        differing += _differing(theirs["name"], {**level, "bias_accuracy": accuracy}, theirs)
    return differing


def _differing(name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Figures are compared to as many decimals as are published."""
    lines = []
    for figure in ("rows", "true_rows", "bias_accuracy", "true", "false", "relations", "images"):
        wanted = theirs.get(figure)
        if wanted is None:
            continue
        decimals = len(str(wanted).partition(".")[2])
        value = ours[figure]
        if value is None or round(value, decimals) != wanted:
            lines.append(f"{name}: {figure} is {value}, published {wanted}")
    return lines
