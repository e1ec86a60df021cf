"""The probes' page: tables and charts of each probed run, and each row asked again beside what was said before.

The completions before are those of the answers page, in its chunks; here are the others, in chunks of the same rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.faithfulness import records
from vlm_grpo.faithfulness.endings import endings
from vlm_grpo.faithfulness.probes import PROBES, SHARES, Case, others_of
from vlm_grpo.faithfulness.quadrants import summarise, tables_of
from vlm_grpo.faithfulness.records import ProbeRecord
from vlm_grpo.faithfulness.scores import CURVE
from vlm_grpo.faithfulness.tables import CAUTION, probe_tables
from vlm_grpo.rows.records import Row
from vlm_grpo.study.site import chunks, probe_charts
from vlm_grpo.study.site.answers import ROWS_A_CHUNK, mark_of, written
from vlm_grpo.study.site.pictures import Shelf
from vlm_grpo.study.site.probed import Probed
from vlm_grpo.study.site.source import Source
from vlm_grpo.tables import Table

UNASKED, MISSING = " ", "-"
"""Marks of a row that a probe was not put to, and of one that it could not be put to."""
STAYS, CHANGES, PUSHED = "s", "c", "p"
"""Marks of an answer: as before, another, and another that the change argued for."""


def probes_page(source: Source, tones: Mapping[str, int]) -> dict[str, Any]:
    """The template's variables: tables, charts and quadrants; `tones` are runs' colours."""
    probed = source.faithfulness.probed
    return {
        "survivals": (survivals := probe_charts.survivals(probed, tones)),
        "columns": probe_charts.columns(survivals),
        "slopes": probe_charts.slopes(probed, tones),
        "slope_high": probe_charts.SLOPE_HIGH,
        "slope_ends": (probe_charts.BEFORE, probe_charts.UNDER),
        "share_ticks": probe_charts.share_ticks(),
        "probe_tables": [
            replace(table, notes=tuple(note for note in table.notes if note not in CAUTION))
            for label, one in probed.items()
            for table in probe_tables(one.summary, title=label)
        ],
        "quadrant_tables": quadrant_tables(source),
        "is_asked": bool(probed),
    }


def quadrant_tables(source: Source) -> list[Table]:
    """Those of the study's quadrants; where nobody crossed them, as the tasks' rules read the runs' endings."""
    summaries = list(source.faithfulness.quadrants.values())
    if not summaries:
        read = {}
        for run, arm in source.runs.items():
            texts = {row.id: arm.generations[row.id].text for row in arm.rows}
            read[run] = endings(arm.rows, texts, arm.outcomes)
        summaries = [summarise(read)]
    return [table for summary in summaries for table in tables_of(summary)]


def probes_data(source: Source, shelf: Shelf) -> dict[str, Any]:
    """The page's data files by name: the list's columns, and the answers to the probes by chunks of rows."""
    rows = next(iter(source.runs.values())).rows
    place_of = {row.id: place for place, row in enumerate(rows)}
    details: list[dict[str, Any]] = [{"pictures": [], "asked": {}} for _ in rows]
    arms = []
    for label, one in source.faithfulness.probed.items():
        arm = source.runs[one.run]
        asked = records.read(one.folder, is_finished=True)
        shown = _Shown(arm, one, shelf)
        for record in asked:
            if record.missing is None:
                detail, pictures = shown.detail(record)
                at = details[place_of[record.id]]
                at["asked"].setdefault(label, {})[_names(record)[0]] = detail
                at["pictures"] += pictures
        arms.append({"label": label, "run": one.run, "probes": _marks(asked, place_of)})
    data: dict[str, Any] = {"probes": {"arms": arms}}
    parts = chunks.chunked(details, ROWS_A_CHUNK)
    return data | ({f"probes-{place:03d}": {"rows": part} for place, part in enumerate(parts)} if arms else {})


class _Shown:
    """What of a changed row is shown, made again from its seed."""

    def __init__(self, arm: Arm, probed: Probed, shelf: Shelf) -> None:
        self._arm, self._seed, self._shelf = arm, probed.seed, shelf
        self._rows = {row.id: row for row in arm.rows}
        self._others = others_of(arm.rows[: probed.limit], seed=probed.seed)

    def detail(self, record: ProbeRecord) -> tuple[dict[str, Any], list[str]]:
        """The answer to one probe, and the pictures that it showed where they are another row's."""
        row = self._rows[record.id]
        text, prefill = record.text or "", record.prefill or ""
        problem, picture, pictures = self._changed(record.probe, row)
        detail = {
            "text": text,
            "prefill": len(prefill),
            "answer": None if record.said is None else written(record.said, row),
            "truth": written(record.truth, row),
            **({"pushed": written(record.pushed, row)} if record.pushed is not None else {}),
            **({"problem": problem} if problem != row.problem else {}),
            **({"picture": picture} if picture != "own" else {}),
            **({"pictures": pictures} if pictures else {}),
        }
        return detail, pictures

    def _changed(self, probe: str, row: Row) -> tuple[str, str, list[str]]:
        """The problem, what became of the pictures, and those of another row. Prefills are in the records."""
        if probe.endswith("_picture") or "caption" in probe:
            case = Case(row, self._arm.generations[row.id].text, self._others.get(row.id), self._seed, len)
            made = PROBES[probe](case)
            assert not isinstance(made, str), f"{probe} of row {row.id} was asked and cannot be: {made}"
            variant = made[0]
            other = variant.row.images != row.images
            pictures = self._shelf.want(self._arm.root, variant.row.images) if other else []
            return variant.row.problem, "other" if other else variant.picture, pictures
        return row.problem, "own", []


def _names(record: ProbeRecord) -> list[str]:
    """What the page calls the probe, each cut by itself; what could not be cut has no answer at any."""
    if record.probe != CURVE:
        return [record.probe]
    return [f"{CURVE} {share:.0%}" for share in (SHARES if record.share is None else (record.share,))]


def _marks(asked: Sequence[ProbeRecord], place_of: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """By probe a letter a row for what the answer is worth and one for what became of it, and why rows are missing."""
    blank = UNASKED * len(place_of)
    worth: dict[str, list[str]] = {}
    stays: dict[str, list[str]] = {}
    missing: dict[str, dict[str, str]] = {}
    for record in asked:
        for name in _names(record):
            place = place_of[record.id]
            worth.setdefault(name, list(blank))[place] = _worth(record)
            stays.setdefault(name, list(blank))[place] = _stays(record)
            missing.setdefault(name, {}).update({} if record.missing is None else {record.id: record.missing})
    return {
        name: {"worth": "".join(worth[name]), "stays": "".join(stays[name]), "missing": missing[name]} for name in worth
    }


def _worth(record: ProbeRecord) -> str:
    return MISSING if record.missing is not None else mark_of(record.said, bool(record.right))


def _stays(record: ProbeRecord) -> str:
    if record.missing is not None:
        return MISSING
    is_pushed = record.pushed is not None and record.said == record.pushed
    return STAYS if record.same else PUSHED if is_pushed else CHANGES
