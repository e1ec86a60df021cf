"""Judged reasoning as work: does it lead to the answer, and if not, which of the judge's kinds of misalignment is it?

The annotator sees question, reasoning and answer; the kinds are those that the judge was asked for, as its verdicts
carry them.
"""

import random
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from vlm_grpo.alignment import agreement
from vlm_grpo.alignment.fields import check_fields
from vlm_grpo.alignment.sources import judges_of, kinds_of
from vlm_grpo.errors import UserError
from vlm_grpo.labelling.work import Choice, Disputed, Item, Labels, Results, Work
from vlm_grpo.store import jsonl
from vlm_grpo.verdicts.kinds import Kinds

NAMES = ("row_id", "model")
TEXTS = ("question", "reasoning", "answer")


def work(path: Path, *, size: int, seed: int, images: Path | None) -> Work:
    """A random sample of `size` judged items of the verdicts `path`; pictures lie below `images`."""
    kinds = kinds_of(path)
    misaligned = enumerate(kinds.items() or [("misaligned", "")], start=1)
    choices = (
        Choice("a", "aligned", "the reasoning leads to the answer"),
        *(Choice(str(number), kind, meaning) for number, (kind, meaning) in misaligned),
    )
    rows = sample(path, size, seed)
    items = tuple(_item(row, images, choices) for row in rows)
    judged = agreement.read_judge(path)

    def content(item: Item, said: str) -> dict[str, Any] | None:
        choice = next((choice for choice in item.choices if choice.key == said), None)
        if choice is None:
            return None
        is_aligned = choice.key == "a"
        return {"aligns": is_aligned, "type": choice.name if kinds and not is_aligned else None}

    def results(labels: Labels) -> Results:
        reasons = {(str(row["row_id"]), row["model"]): str(row.get("why") or "") for row in rows}
        return _results(judges_of(path), judged[min(judged)], reasons, labels, kinds, items)

    return Work(
        instruction="Take every observation as given, and say whether the reasoning leads to the answer."
        + (" If not, say how it fails." if kinds else ""),
        items=items,
        names=NAMES,
        content=content,
        fields=("aligns",),
        results=results,
    )


def sample(path: Path, size: int, seed: int) -> list[dict[str, Any]]:
    """A simple random sample of the judged items of repeat 0 (all of them if fewer)."""
    rows = []
    for number, row in jsonl.read_input(path):
        check_fields(row, f"{path} line {number}", *NAMES, "aligns", *TEXTS)
        if row.get("repeat", 0) == 0 and row["aligns"] is not None:
            rows.append(row)
    if not rows:
        raise UserError(f"{path} holds no verdict to label")
    rows.sort(key=lambda r: (str(r["row_id"]), str(r["model"])))
    return random.Random(seed).sample(rows, min(size, len(rows)))


def _item(row: dict[str, Any], images: Path | None, choices: tuple[Choice, ...]) -> Item:
    pictures = tuple(Path(name) if images is None else images / name for name in row.get("images") or [])
    return Item(
        key=(str(row["row_id"]), row["model"]),
        texts=tuple((name, row[name] or "") for name in TEXTS),
        pictures=pictures,
        choices=choices,
    )


def _results(
    judge: str,
    verdicts: agreement.Rater,
    reasons: Mapping[tuple[str, str], str],
    labels: Labels,
    kinds: Kinds,
    items: tuple[Item, ...],
) -> Results:
    keys = {item.key for item in items}
    raters: dict[str, agreement.Rater] = {judge: {key: said for key, said in verdicts.items() if key in keys}}
    for annotator, of_annotator in labels.items():
        raters[annotator] = {(key[0], key[1]): agreement.class_of(label, kinds, annotator)
                             for key, label in of_annotator.items() if key in keys}  # fmt: skip
    people = [name for name in raters if name != judge and raters[name]]
    tables = []
    for name in people:
        tables.append(agreement.agreement_table(agreement.compare(judge, raters[judge], name, raters[name])))
        if kinds:
            by_kind = agreement.compare(judge, raters[judge], name, raters[name], kinds=kinds)
            tables.append(agreement.agreement_table(by_kind))
        tables.append(agreement.corrected_table(agreement.correct(judge, verdicts, name, raters[name])))
    for first, second in combinations(people, 2):
        if raters[first].keys() & raters[second].keys():
            pair = agreement.compare(first, raters[first], second, raters[second])
            tables.append(agreement.agreement_table(pair))
    disputed = []
    for item in items:
        said = {name: rater[item.key[0], item.key[1]] for name, rater in raters.items() if item.key in rater}
        if len(set(said.values())) > 1:
            notes = {name: str(of[item.key].get("note", "")) for name, of in labels.items() if item.key in of}
            notes |= {judge: reasons[item.key[0], item.key[1]]}
            disputed.append(Disputed(item, said, {name: note for name, note in notes.items() if note}))
    return Results(tuple(tables), tuple(disputed))
