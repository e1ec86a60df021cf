"""The answers of a data set's rows as work: what people say to the questions that the models were asked.

For answers that are simple to give: True or False, a number or several, a letter. What is right is the task's business
and not shown; boxes, masks and free text are left out.
"""

import random
import re
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.labelling.work import Choice, Disputed, Item, Labels, Results, Work
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.agreement import kappa
from vlm_grpo.statistics.intervals import wilson
from vlm_grpo.tables import Table
from vlm_grpo.tasks.registry import task_of

SIMPLE = ("truth", "number", "numbers", "choice")
_OPTION = re.compile(r"(?<![\w'’])([A-Z])\s*[).:]")


def work(root: Path, *, split: str, size: int, seed: int) -> Work:
    """A random sample of `size` rows of the data set `root`; `UserError` where an answer is not simple to give."""
    rows = dataset.load(root, split)
    drawn = {row.id: row for row in random.Random(seed).sample(rows, min(size, len(rows)))}
    items = tuple(_item(row, root) for row in drawn.values())

    def content(item: Item, said: str) -> dict[str, Any] | None:
        row = drawn[item.key[0]]
        words = next((choice.name for choice in item.choices if choice.key == said), None if item.choices else said)
        outcome = task_of(row).outcome(f"<answer> {words} </answer>", row, rule="strict")
        return None if words is None or outcome.said is None else {"said": outcome.said, "right": outcome.right}

    return Work(
        instruction="Look at the picture and answer the question.",
        items=items,
        names=("row_id",),
        content=content,
        fields=("said", "right"),
        results=lambda labels: _results(labels, items),
    )


def _item(row: Row, root: Path) -> Item:
    kind = task_of(row).answer(row)
    if kind.name not in SIMPLE:
        raise UserError(
            f"{root} row {row.id} asks for an answer of the kind {kind.name}, which is not labelled by hand here; "
            f"{', '.join(SIMPLE)} are"
        )
    names = ["True", "False"] if kind.name == "truth" else []
    if kind.name == "choice":
        names = list(dict.fromkeys(_OPTION.findall(row.problem)))
    return Item(
        key=(row.id,),
        texts=(("question", row.problem),),
        pictures=tuple(root / name for name in row.images),
        choices=tuple(Choice(name[0].lower(), name) for name in names),
        entry="" if names else kind.asks,
    )


def _results(labels: Labels, items: tuple[Item, ...]) -> Results:
    keys = {item.key for item in items}
    of = {name: {key: label for key, label in given.items() if key in keys} for name, given in labels.items()}
    lines = []
    for name, given in of.items():
        right = sum(bool(label["right"]) for label in given.values())
        low, high = wilson(right, len(given))
        lines.append((name, f"{right} of {len(given)}", f"{right / len(given):.1%}", f"[{low:.1%}, {high:.1%}]"))
    tables = [Table("right answers", ("annotator", "right", "share", "95 % interval"), tuple(lines))]
    names = list(of)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if of[a].keys() & of[b].keys()]
    if pairs:
        tables.append(
            Table(
                "agreement of annotators",
                ("first", "second", "same answer", "Cohen's kappa"),
                tuple((a, b, *_agreement(of[a], of[b])) for a, b in pairs),
            )
        )
    disputed = []
    for item in items:
        said = {name: str(given[item.key]["said"]) for name, given in of.items() if item.key in given}
        if len(set(said.values())) > 1:
            notes = {name: str(of[name][item.key].get("note", "")) for name in said}
            disputed.append(Disputed(item, said, {name: note for name, note in notes.items() if note}))
    return Results(tuple(tables), tuple(disputed))


def _agreement(first: dict[Any, Any], second: dict[Any, Any]) -> tuple[str, str]:
    shared = sorted(first.keys() & second.keys())
    pairs = [(str(first[key]["said"]), str(second[key]["said"])) for key in shared]
    classes = sorted({said for pair in pairs for said in pair})
    table = [[pairs.count((a, b)) for b in classes] for a in classes]
    value = kappa(table)
    same = sum(a == b for a, b in pairs)
    shown = "undefined, one answer only"
    if value is not None:
        shown = f"{value.value:.3f} [{value.interval.low:.3f}, {value.interval.high:.3f}]"
    return f"{same} of {len(pairs)} ({same / len(pairs):.1%})", shown
