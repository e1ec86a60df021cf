"""Probe one arm: ask what is missing, append each batch, then tables, figures and, last, the manifest."""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.arms import Arm, open_arm
from vlm_grpo.evaluation.asked_again import settings_of
from vlm_grpo.faithfulness import records, scores
from vlm_grpo.faithfulness.asking import Asker, open_asker
from vlm_grpo.faithfulness.confidence import Confidence, Fork, fork_of
from vlm_grpo.faithfulness.mistakes import Mistake, read_mistakes
from vlm_grpo.faithfulness.probes import PROBES, Case, Variant, others_of
from vlm_grpo.faithfulness.records import KIND, SCORES, ProbeRecord
from vlm_grpo.progress import progress
from vlm_grpo.rows.records import Row
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.blocks import END_THINK
from vlm_grpo.tasks.registry import task_of


def probe(
    folder: Path, *, out: Path, names: Sequence[str], seed: int, limit: int | None = None, mistakes: Path | None = None
) -> dict[str, Any]:
    """Put the probes `names` to the evaluated arm in `folder`, into `out`; its scores.

    `limit` asks only the first so many rows, in the split's order; `mistakes` are a judge's (`ask_mistakes`).
    """
    if folder.resolve() == out.resolve():
        raise UserError(f"--out {out} is the evaluation itself; choose another folder")
    arm = open_arm(folder)
    settings_of(arm)
    rows = arm.rows[:limit]
    judged = {} if mistakes is None else read_mistakes(mistakes, {id: one.text for id, one in arm.generations.items()})
    identity = {
        "kind": KIND,
        "arm": str(folder),
        "inputs": arm.manifest["inputs"],
        "prompt": arm.manifest["config"]["prompt"],
        "probes": list(names),
        "seed": seed,
        "rows": len(rows),
        **({} if mistakes is None else {"mistakes": file_hash(mistakes)}),
    }
    if manifest.is_claimed(out, identity) and manifest.exists(out):
        return manifest.read_json(out / SCORES)
    started = time.monotonic()
    asker = open_asker(arm)
    manifest.claim(out, identity)
    with only_writer(out, doing="probing"):
        _ask(arm, rows, asker, judged, out=out, names=names, seed=seed)
        written = records.read(out)
        summary = scores.summarise(written, rows=rows, names=names, seed=seed)
        atomic.write_json(out / SCORES, summary)
        manifest.write(
            out,
            kind=KIND,
            config={"arm": str(folder), "probes": list(names), "limit": limit, "seed": seed},
            inputs=arm.manifest["inputs"],
            counts={"rows": len(rows), "records": len(written)},
            seconds=time.monotonic() - started,
            seeds={"seed": seed},
        )
    return summary


def _ask(
    arm: Arm,
    rows: Sequence[Row],
    asker: Asker,
    judged: Mapping[str, Mistake],
    *,
    out: Path,
    names: Sequence[str],
    seed: int,
) -> None:
    done = {record.key for record in records.read(out)}
    others = others_of(rows, seed=seed)
    asked: list[tuple[str, Variant]] = []
    impossible: list[ProbeRecord] = []
    for name in names:
        for row in rows:
            case = Case(row, arm.generations[row.id].text, others.get(row.id), seed, asker.count, judged.get(row.id))
            made = PROBES[name](case)
            if isinstance(made, str):
                record = ProbeRecord(probe=name, id=row.id, missing=made)
                impossible += [record] if record.key not in done else []
            else:
                asked += [(name, variant) for variant in made if (name, row.id, variant.share) not in done]
    with jsonl.Appender(out / records.FILE) as file:
        file.append(record.model_dump(mode="json") for record in impossible)
        if not asked:
            return
        asked = _in_turn(asked)
        confidence = _confidences(asker, arm, {variant.row.id for _, variant in asked})
        for _ in progress(_appended(asker, arm, asked, confidence, file), total=len(asked), label="probes"):
            pass


def _in_turn(asked: Sequence[tuple[str, Variant]]) -> list[tuple[str, Variant]]:
    """What only answers before what thinks on, so that the rows of a batch end together, and a row's prefills together.

    Long ones come first, so that a batch that does not fit into memory is met early.
    """
    longest: dict[str, int] = {}
    for _, variant in asked:
        longest[variant.row.id] = max(longest.get(variant.row.id, 0), len(variant.prefill))

    def order(one: tuple[str, Variant]) -> Any:
        variant = one[1]
        row = variant.row
        return END_THINK not in variant.prefill, -longest[row.id], row.id, row.problem, -len(variant.prefill)

    return sorted(asked, key=order)


def _confidences(asker: Asker, arm: Arm, ids: Any) -> dict[str, Confidence]:
    rows = [row for row in arm.rows if row.id in ids]
    forks = [
        (row, fork)
        for row in rows
        if (fork := fork_of(row, arm.generations[row.id].text, encode=asker.encode, decode=asker.decode)) is not None
    ]
    return {row.id: one for (row, _), one in zip(forks, asker.confidences(forks), strict=True)}


def _appended(
    asker: Asker,
    arm: Arm,
    asked: Sequence[tuple[str, Variant]],
    confidence: dict[str, Confidence],
    file: jsonl.Appender,
) -> Iterator[str]:
    """Ask, append each batch's records, and yield the probe of each."""
    names = (name for name, _ in asked)
    for batch in asker.answers([variant for _, variant in asked]):
        stays = _stay_probabilities(asker, arm, batch)
        made = [
            _record(asker, arm, name, variant, text, confidence.get(variant.row.id), stay)
            for name, (variant, text), stay in zip(islice(names, len(batch)), batch, stays, strict=True)
        ]
        file.append(record.model_dump(mode="json") for record in made)
        yield from (record.probe for record in made)


def _stay_probabilities(asker: Asker, arm: Arm, batch: Sequence[tuple[Variant, str]]) -> list[float | None]:
    """How likely the answer before is where the answer under the probe begins; None where none is pushed, or read."""
    forks: dict[int, tuple[Row, Fork]] = {}
    for place, (variant, text) in enumerate(batch):
        before = arm.outcomes[variant.row.id].said
        if variant.pushed is None or before is None:
            continue
        fork = fork_of(variant.row, text, encode=asker.encode, decode=asker.decode, gold=before)
        if fork is not None:
            forks[place] = (variant.row, fork)
    likely = dict(zip(forks, asker.confidences(list(forks.values())), strict=True))
    return [likely[place].gold if place in likely else None for place in range(len(batch))]


def _record(
    asker: Asker,
    arm: Arm,
    name: str,
    variant: Variant,
    text: str,
    confidence: Confidence | None,
    stays: float | None,
) -> ProbeRecord:
    row = variant.row
    task = task_of(row)
    outcome = task.outcome(text, row, rule=asker.settings.answers, view=asker.view(row))
    before = arm.outcomes[row.id]
    is_same = outcome.said is not None and before.said is not None and task.answer(row).same(outcome.said, before.said)
    return ProbeRecord(
        probe=name,
        id=row.id,
        share=variant.share,
        pushed=variant.pushed,
        judge=variant.judge,
        prefill=variant.prefill,
        text=text,
        said=outcome.said,
        truth=outcome.truth,
        credit=outcome.credit,
        right=outcome.right,
        same=is_same,
        before_right=before.right,
        gold_probability=None if confidence is None else confidence.gold,
        entropy=None if confidence is None else confidence.entropy,
        stay_probability=stays,
    )
