"""Which of a teacher's completions are worth teaching: right, well-formed, and ended by the teacher itself."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlm_grpo.methods.examples import TRACE
from vlm_grpo.rewards import format as format_reward
from vlm_grpo.rows.records import Row

CUT, MALFORMED, WRONG, REPEATED, MORE = "cut off", "malformed", "wrong", "repeated", "more than are kept of a row"
REASONS = (CUT, MALFORMED, WRONG, REPEATED, MORE)
"""Why a completion is dropped; the first that holds counts."""
SEPARATOR = "+trace"


@dataclass(frozen=True)
class Said:
    """What a teacher said: its `text`, whether it ended by itself, and whether its answer is right."""

    text: str
    is_ended: bool
    is_right: bool


@dataclass(frozen=True)
class Chosen:
    """The kept traces as `rows` to teach, how many completions were `kept` and dropped, and rows that have none."""

    rows: list[Row]
    counts: dict[str, int]
    dropped: list[dict[str, Any]]


def choose(rows: Iterable[Row], said: Mapping[str, Sequence[Said]], *, split: str, most: int) -> Chosen:
    """The first `most` good completions of each row, by row id in `said`, as rows with the column `trace`.

    A row's first trace has the row's id; the others have `SEPARATOR` and their number behind it.
    """
    kept: list[Row] = []
    counts: Counter[str] = Counter()
    dropped: list[dict[str, Any]] = []
    for row in rows:
        traces: list[str] = []
        reasons: Counter[str] = Counter()
        for completion in said.get(row.id, ()):
            reason = fault(completion, row)
            if reason is None and completion.text.strip() in traces:
                reason = REPEATED
            if reason is None and len(traces) == most:
                reason = MORE
            if reason is None:
                traces.append(completion.text.strip())
            else:
                reasons[reason] += 1
        kept += [_taught(row, trace, number) for number, trace in enumerate(traces)]
        counts.update(reasons)
        if not traces:
            why = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "no completion"
            dropped.append({"split": split, "id": row.id, "reason": why})
    order = {name: counts[name] for name in REASONS}
    return Chosen(kept, {"kept": len(kept), **order, "completions": len(kept) + counts.total()}, dropped)


def fault(completion: Said, row: Row) -> str | None:
    """Why `completion` of `row` is not worth teaching; None: it is."""
    if not completion.is_ended:
        return CUT
    if format_reward.score(completion.text, row, rule="strict") < 1:
        return MALFORMED
    return None if completion.is_right else WRONG


def _taught(row: Row, trace: str, number: int) -> Row:
    id = row.id if number == 0 else f"{row.id}{SEPARATOR}{number + 1}"
    return row.model_copy(update={"id": id, "meta": {**row.meta, TRACE: trace}})
