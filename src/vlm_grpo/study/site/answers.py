"""Every row that the study's runs answered: what the list shows of each, and what each run said, in chunks.

The list's columns come at once (a letter a row and run for right, wrong and unparsed); texts come a chunk at a time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.rows.records import Row
from vlm_grpo.study.site.pictures import Shelf
from vlm_grpo.study.site.shapes import shapes_of
from vlm_grpo.study.site.source import Source, Verdict
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.registry import task_of

ROWS_A_CHUNK = 200
HEAD = 140
"""Signs of a problem that the list shows."""
ALIGNED, UNREADABLE = "aligned", "no verdict"


def index(source: Source, shelf: Shelf) -> dict[str, Any]:
    """What the list of rows needs."""
    arm = next(iter(source.runs.values()))
    return {
        "split": source.summary["split"],
        "chunk": ROWS_A_CHUNK,
        "ids": [row.id for row in arm.rows],
        "problems": heads([row.problem for row in arm.rows]),
        "pictures": [next(iter(shelf.want(arm.root, row.images[:1])), "") for row in arm.rows],
        "marks": {run: "".join(mark(one.outcomes[row.id]) for row in arm.rows) for run, one in source.runs.items()},
        "slices": _slices(arm.rows),
        "verdicts": {run: _kinds([said.get(row.id) for row in arm.rows]) for run, said in source.verdicts.items()},
    }


def heads(problems: Sequence[str]) -> list[str]:
    """The first signs of each problem, without the words with which all of them begin."""
    first, last = min(problems), max(problems)
    shared = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    start = first.rfind(" ", 0, shared) + 1
    return [("… " if start else "") + problem[start : start + HEAD] for problem in problems]


def details(source: Source, rows: Sequence[Row], shelf: Shelf) -> list[dict[str, Any]]:
    """What a row's own view needs, for each of `rows`; the pictures are wanted from `shelf`."""
    root = next(iter(source.runs.values())).root
    return [
        {
            "problem": row.problem,
            "truth": written(_truth(source, row), row),
            "facts": [[column, str(row.meta[column])] for column in _sliced(row) if row.meta.get(column) is not None],
            "pictures": shelf.want(root, row.images),
            "shapes": shapes_of(row),
            "said": {run: _said(arm, row, source.verdicts.get(run, {})) for run, arm in source.runs.items()},
        }
        for row in rows
    ]


def mark(outcome: Outcome) -> str:
    """`r`ight, `w`rong or `u`nparsed."""
    return mark_of(outcome.said, outcome.right)


def mark_of(said: Any, right: bool) -> str:
    """The same, of an answer that was read apart from its outcome."""
    return "u" if said is None else "r" if right else "w"


def written(value: Any, row: Row) -> str:
    """An answer to `row` as text."""
    return task_of(row).answer(row).write(value)


def _truth(source: Source, row: Row) -> Any:
    return next(iter(source.runs.values())).outcomes[row.id].truth


def _said(arm: Arm, row: Row, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    generation, outcome, verdict = arm.generations[row.id], arm.outcomes[row.id], verdicts.get(row.id)
    shapes = shapes_of(row, outcome)
    return {
        "text": generation.text,
        "answer": None if outcome.said is None else written(outcome.said, row),
        "tokens": generation.completion_tokens,
        **({"credit": round(outcome.credit, 4)} if task_of(row).is_graded else {}),
        **({"cut": 1} if generation.finish_reason == "length" else {}),
        **({"shapes": shapes} if shapes else {}),
        **({} if verdict is None else {"verdict": [_kind(verdict), verdict.why, verdict.judge]}),
    }


def _sliced(row: Row) -> list[str]:
    return list(task_of(row).slices.values())


def _slices(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The columns that the rows' tasks slice them by: name, values, and each row's place among them (-1: none)."""
    columns = {column: name for row in rows for name, column in task_of(row).slices.items()}
    slices = []
    for column, name in columns.items():
        texts = [None if row.meta.get(column) is None else str(row.meta[column]) for row in rows]
        values = sorted({text for text in texts if text is not None})
        places = {value: place for place, value in enumerate(values)}
        if len(set(texts)) > 1:  # else there is nothing to choose
            slices.append({"name": name, "values": values, "of": [-1 if t is None else places[t] for t in texts]})
    return slices


def _kind(verdict: Verdict) -> str:
    if verdict.aligns is None:
        return UNREADABLE
    return ALIGNED if verdict.aligns else verdict.type or "misaligned"


def _kinds(verdicts: Sequence[Verdict | None]) -> dict[str, Any]:
    texts = [None if verdict is None else _kind(verdict) for verdict in verdicts]
    values = sorted({text for text in texts if text is not None}, key=lambda text: (text != ALIGNED, text))
    return {"values": values, "of": [-1 if text is None else values.index(text) for text in texts]}
