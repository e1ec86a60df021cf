"""Alignment numbers as tables for people and as records for machines.

`tables` gives the tables of every split (types by model, summary, quadrants), the paired comparisons and the simple
prompt's published counts. `records` gives one flat JSON object per (split, model), fractions throughout.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo import escapes
from vlm_grpo.alignment.summary import Comparison, Difference, Proportion, Summary
from vlm_grpo.store import strict_json
from vlm_grpo.tables import Table

Marks = Mapping[tuple[str, str], Mapping[str, Difference]]
"""Per (split, model): the published figure beside each of ours. Empty where nothing published is compared."""


def tables(
    summaries: Sequence[Summary],
    comparisons: Sequence[Comparison],
    marks: Marks,
    simple: Sequence[Mapping[str, Any]] = (),
) -> list[Table]:
    """Everything to print, in order."""
    printed: list[Table] = []
    for split in dict.fromkeys(s.split for s in summaries):
        rows = [s for s in summaries if s.split == split]
        printed += [_types(rows, marks), _summary(rows, marks), _quadrants(rows)]
    if comparisons:
        printed.append(_paired(comparisons))
    if simple:
        printed.append(_simple(simple))
    return printed


def _marked(text: str, summary: Summary, figure: str, marks: Marks) -> str:
    mark = marks.get((summary.split, summary.model), {}).get(figure)
    return f"{text} ({mark})" if mark else text


def _types(rows: Sequence[Summary], marks: Marks) -> Table:
    kinds = rows[0].types
    lines = [(kind, *(_marked(str(s.types[kind]), s, kind, marks) for s in rows)) for kind in kinds]
    lines.append(("misaligned", *(_marked(str(s.misaligned.k), s, "misaligned", marks) for s in rows)))
    lines.append(("aligned", *(str(s.misaligned.n - s.misaligned.k) for s in rows)))
    lines.append(("items", *(_marked(str(s.total), s, "total", marks) for s in rows)))
    return Table(
        f"{rows[0].split}: {'types of misalignment' if kinds else 'misalignment'}, judge {rows[0].judge}",
        ("type" if kinds else "", *(s.model for s in rows)),
        tuple(lines),
        rows[0].notes,
    )


def _summary(rows: Sequence[Summary], marks: Marks) -> Table:
    lines = [
        ("correct/total", *(_marked(f"{s.accuracy.k}/{s.total}", s, "correct", marks) for s in rows)),
        ("accuracy", *(_marked(percent(s.accuracy), s, "accuracy", marks) for s in rows)),
        ("  95 % interval", *(interval(s.accuracy) for s in rows)),
        ("misaligned", *(_marked(str(s.misaligned.k), s, "misaligned", marks) for s in rows)),
        ("rate", *(_marked(percent(s.misaligned), s, "misaligned_rate", marks) for s in rows)),
        ("  95 % interval", *(interval(s.misaligned) for s in rows)),
        ("correct and aligned", *(f"{s.reliable.k}/{s.reliable.n} {percent(s.reliable)}" for s in rows)),
        ("  95 % interval", *(interval(s.reliable) for s in rows)),
        ("answers read", *(f"{s.answers_read}/{s.total}" for s in rows)),
        ("verdicts (coverage)", *(f"{s.misaligned.n}/{s.total} {100 * s.coverage:.1f} %" for s in rows)),
    ]
    return Table(
        f"{rows[0].split}: summary, answers by the {rows[0].answer_rule} rule",
        ("", *(s.model for s in rows)),
        tuple(lines),
    )


def _quadrants(rows: Sequence[Summary]) -> Table:
    lines = [
        (s.model, word, str(s.quadrants[f"{word}_aligned"]), str(s.quadrants[f"{word}_misaligned"]))
        for s in rows
        for word in ("correct", "wrong")
    ]
    return Table(f"{rows[0].split}: correct × aligned", ("model", "answer", "aligned", "misaligned"), tuple(lines))


def _paired(comparisons: Sequence[Comparison]) -> Table:
    lines = [
        (
            c.outcome,
            c.split,
            *(str(count) for count in c.counts),
            _difference(c),
            f"{c.p:.2g}",
            f"{c.p_holm:.2g}",
        )
        for c in comparisons
    ]
    first, second = comparisons[0].first, comparisons[0].second
    return Table(
        f"paired: {second} against {first} on the same items",
        ("outcome", "split", "both", f"only {first}", f"only {second}", "neither", "difference", "p", "p Holm"),
        tuple(lines),
        (
            "p: exact McNemar; p Holm: adjusted over the splits of one outcome",
            f"difference: {second} - {first} in percentage points, item-paired bootstrap 95 %",
        ),
    )


def _difference(c: Comparison) -> str:
    ends = "-" if c.interval is None else f"{100 * c.interval.low:+.2f}, {100 * c.interval.high:+.2f}"
    return f"{100 * c.difference:+.2f} [{ends}]"


def _simple(records: Sequence[Mapping[str, Any]]) -> Table:
    lines = tuple(
        (
            r["split"],
            f"{r['judge']} run {r['run']}",
            str(r["total"]),
            f"{r['base']} {r['base_percent']:.2f} %",
            f"{r['grpo']} {r['grpo_percent']:.2f} %",
        )
        for r in records
    )
    notes = [f"{r['split']}, {r['judge']}: {r['note']}" for r in records if r["note"]]
    return Table(
        "simple prompt: misaligned, as published (not recomputable: no verdicts per item are kept)",
        ("split", "judge", "items", "base", "grpo"),
        lines,
        tuple(notes),
    )


def percent(proportion: Proportion) -> str:
    """A rate as a percentage with two decimals; `-` without items."""
    return "-" if proportion.rate is None else f"{100 * proportion.rate:.2f} %"


def interval(proportion: Proportion) -> str:
    """Wilson's interval in percent; `-` without items."""
    wilson = proportion.interval
    return "-" if wilson is None else f"[{100 * wilson.low:.2f}, {100 * wilson.high:.2f}]"


def records(summaries: Sequence[Summary], comparisons: Sequence[Comparison], marks: Marks) -> list[dict[str, Any]]:
    """One object per (split, model).

    `ci_low` and `ci_high` bound `misaligned_rate`; `paired` (second model of a split only) holds the comparisons with
    the first one by outcome; `published` holds our figure minus the published one, or is null.
    """
    rows = []
    for s in summaries:
        low, high = s.misaligned.interval or (None, None)
        accuracy_low, accuracy_high = s.accuracy.interval or (None, None)
        reliable_low, reliable_high = s.reliable.interval or (None, None)
        compared = _differences(marks.get((s.split, s.model)))
        rows.append(
            {
                "split": s.split,
                "model": s.model,
                "correct": s.accuracy.k,
                "total": s.total,
                "misaligned": s.misaligned.k,
                "types": s.types,
                "accuracy": s.accuracy.rate,
                "misaligned_rate": s.misaligned.rate,
                "ci_low": low,
                "ci_high": high,
                "accuracy_ci_low": accuracy_low,
                "accuracy_ci_high": accuracy_high,
                "answers_read": s.answers_read,
                "verdicts": s.misaligned.n,
                "coverage": s.coverage,
                "quadrants": s.quadrants,
                "correct_and_aligned": s.reliable.k,
                "reliable_accuracy": s.reliable.rate,
                "reliable_ci_low": reliable_low,
                "reliable_ci_high": reliable_high,
                "judge": s.judge,
                "answer_rule": s.answer_rule,
                "notes": list(s.notes),
                "published_difference": compared,
                "paired": [_paired_record(c) for c in comparisons if (c.split, c.second) == (s.split, s.model)],
            }
        )
    return rows


def _differences(compared: Mapping[str, Difference] | None) -> dict[str, float] | None:
    return None if compared is None else {name: mark.difference for name, mark in compared.items()}


def _paired_record(c: Comparison) -> dict[str, Any]:
    low, high = c.interval or (None, None)
    return {
        "outcome": c.outcome,
        "first": c.first,
        "both": c.counts.both,
        "only_first": c.counts.b,
        "only_second": c.counts.c,
        "neither": c.counts.neither,
        "difference": c.difference,
        "ci_low": low,
        "ci_high": high,
        "p_mcnemar": c.p,
        "p_holm": c.p_holm,
    }


def to_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The records as an indented JSON list."""
    return strict_json.render(rows)


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The records as CSV: `types` and `quadrants` spread over columns, what is a list left to JSON.

    A type that is called as another column gets `type_` before its name. A text that a spreadsheet would run as a
    formula has an apostrophe in front.
    """
    flat = [_flat(row) for row in rows]
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue().rstrip("\n")


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in row.items():
        if name == "types":
            cells |= {
                f"type_{kind}" if kind in row or kind in row["quadrants"] else kind: n for kind, n in value.items()
            }
        elif name == "quadrants":
            cells |= value
        elif name not in ("notes", "paired", "published_difference"):
            cells[name] = value
    return {name: escapes.csv_cell(value) for name, value in cells.items()}
