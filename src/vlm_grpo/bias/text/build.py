"""From a data set to its text-biased copy on disk; the command line is `bias.text`.

The split `train` becomes the biased one. Every other split stays whole and has a counter-biased part beside it. All
rows carry what the shortcut says of them (`bias.marks`). Pictures are brought over as hard links.
"""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.bias.cases import Case, label_counts, read_cases
from vlm_grpo.bias.marks import SHORTCUT, marks
from vlm_grpo.bias.probe.relation import level_name, relation_probe
from vlm_grpo.bias.text.counter import RULE, counter_cases
from vlm_grpo.bias.text.published import EXTREME_NAME
from vlm_grpo.bias.text.sets import Biased, Level, make
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import check_pictures
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest
from vlm_grpo.store.lock import only_writer

TRAIN = "train"
COUNTER = "counter"
BIAS = "text"


@dataclass(frozen=True)
class BiasedSet:
    """A biased data set before it is written: its splits and what its manifest tells of the bias."""

    source: dict[str, Any]
    splits: dict[str, list[Row]]
    before: list[Case]
    biased: Biased
    details: dict[str, Any]


def build(data: Path, out: Path, level: Level) -> BiasedSet | None:
    """Write the biased copy of the data set `data` to `out`; None if it is there already.

    A copy that was cut off is made again; a folder of another run is a `UserError`.
    """
    started = time.monotonic()
    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        raise UserError(f"--out {out} lies in the data set {data}, which stays as it is; choose another folder")
    planned = plan(data, level)
    fingerprints = planned.source["fingerprints"]
    manifest.claim(out, {"kind": dataset.KIND, "bias": BIAS, "fingerprints": fingerprints, **level.described()})
    names = [image for rows in planned.splits.values() for row in rows for image in row.images]
    with only_writer(out, doing="building"):
        if manifest.exists(out) and all((out / name).is_file() for name in names):
            return None
        brought = bring({out / name: data / name for name in names})
        dataset.save(
            out,
            planned.splits,
            source={"name": str(data), "fingerprints": fingerprints, "source": planned.source["inputs"]["source"]},
            config={"bias": BIAS, **level.described()},
            seconds=time.monotonic() - started,
            seeds={"bias": level.seed},
            pictures=brought,
            **planned.details,
        )
    return planned


def plan(data: Path, level: Level) -> BiasedSet:
    """The biased copy of `data`, with nothing written.

    `UserError` for a data set without a training split or with a missing picture, a row without relation or label, and
    a data set that is biased already.
    """
    source = manifest.read(data, kind=dataset.KIND)
    if TRAIN not in source["counts"]:
        raise UserError(f"{data} has no split {TRAIN!r} to plant a bias in; it has {', '.join(source['counts'])}")
    rows = {split: dataset.load(data, split) for split in source["counts"]}
    _check_unmarked(rows, data)
    cases = {split: read_cases(of_split, where=f"{data} split {split!r}") for split, of_split in rows.items()}
    for of_split in rows.values():
        check_pictures(of_split, root=data)
    biased = make(cases[TRAIN], level)
    splits = {TRAIN: _marked(_taken(rows[TRAIN], biased), biased)}
    held_out = {split: of_split for split, of_split in cases.items() if split != TRAIN}
    kept = {
        split: {c.id for c in counter_cases(of_split, biased.shortcut, seed=level.seed)}
        for split, of_split in held_out.items()
    }
    for split, ids in kept.items():
        splits[split] = _marked(rows[split], biased)
        if f"{split}_{COUNTER}" in rows:
            raise UserError(f"{data}: split '{split}_{COUNTER}' is what the part of {split!r} is called; rename it")
        if ids:
            splits[f"{split}_{COUNTER}"] = [row for row in splits[split] if row.id in ids]
    return BiasedSet(source, splits, cases[TRAIN], biased, details=_details(biased, cases[TRAIN], held_out, kept))


def _check_unmarked(rows: dict[str, list[Row]], data: Path) -> None:
    for split, of_split in rows.items():
        if any(SHORTCUT in row.meta for row in of_split):
            raise UserError(f"{data} split {split!r} is marked by another bias; start from the data set it was made of")


def _taken(rows: list[Row], biased: Biased) -> list[Row]:
    by_id = {row.id: row for row in rows}
    return [
        by_id[case.id].model_copy(update={"id": f"{case.id}+copy"}) if place in biased.copies else by_id[case.id]
        for place, case in enumerate(biased.cases)
    ]


def _marked(rows: list[Row], biased: Biased) -> list[Row]:
    return [
        row.model_copy(update={"meta": {**row.meta, **marks(case.label, biased.shortcut.get(case.relation))}})
        for row, case in zip(rows, read_cases(rows, where="biased rows"), strict=True)
    ]


def _unmeasured(level: Level) -> str:
    """What a level is called whose rows all have one label."""
    return EXTREME_NAME if level.is_extreme else "one label"


def _details(
    biased: Biased, before: list[Case], held_out: dict[str, list[Case]], counter: dict[str, set[str]]
) -> dict[str, Any]:
    """What the manifest says of the bias, beside the counts that every data set has."""
    probe = relation_probe(biased.cases, held_out, seed=biased.level.seed)
    relations = label_counts(biased.cases)
    groups = {TRAIN: biased.groups(biased.cases)} | {split: biased.groups(cases) for split, cases in held_out.items()}
    return {
        "level_name": level_name(probe["in_sample"]["accuracy"]) if probe else _unmeasured(biased.level),
        "probe": probe,
        "agreeing_share": biased.agreeing_share,
        "left_out": len(before) - len(set(biased.cases)),
        "true_share": biased.true_rows / len(biased.cases),
        **biased.details,
        "relations": {
            relation: {SHORTCUT: biased.shortcut[relation], "true": labels[True], "false": labels[False]}
            for relation, labels in relations.items()
        },
        "bias_groups": groups,
        "neutral_relations": {
            split: dict(sorted(Counter(c.relation for c in cases if c.relation not in biased.shortcut).items()))
            for split, cases in held_out.items()
        },
        "counter": {"rule": RULE, "rows": {split: len(ids) for split, ids in counter.items()}},
    }
