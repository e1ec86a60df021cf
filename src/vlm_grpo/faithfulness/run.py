"""Probe one arm: ask what is missing, append each batch, then tables, figures and, last, the manifest."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.arms import Arm, open_arm
from vlm_grpo.evaluation.asked_again import settings_of
from vlm_grpo.evaluation.controls import shown_instead
from vlm_grpo.faithfulness import records, scores
from vlm_grpo.faithfulness.asking import Asker, open_asker
from vlm_grpo.faithfulness.confidence import Confidence, fork_of
from vlm_grpo.faithfulness.probes import PROBES, Case, Variant
from vlm_grpo.faithfulness.records import ProbeRecord
from vlm_grpo.progress import progress
from vlm_grpo.rows.records import Row
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.tasks.registry import task_of

KIND = "faithfulness"
SCORES = "faithfulness.json"


def probe(folder: Path, *, out: Path, names: Sequence[str], seed: int, limit: int | None) -> dict[str, Any]:
    """Put the probes `names` to the evaluated arm in `folder`, into `out`; its scores.

    `limit` asks only the first so many rows, in the split's order.
    """
    if folder.resolve() == out.resolve():
        raise UserError(f"--out {out} is the evaluation itself; choose another folder")
    arm = open_arm(folder)
    settings_of(arm)
    rows = arm.rows[:limit]
    identity = {
        "kind": KIND,
        "arm": str(folder),
        "inputs": arm.manifest["inputs"],
        "prompt": arm.manifest["config"]["prompt"],
        "probes": list(names),
        "seed": seed,
        "rows": len(rows),
    }
    if manifest.is_claimed(out, identity) and manifest.exists(out):
        return manifest.read_json(out / SCORES)
    started = time.monotonic()
    asker = open_asker(arm)
    manifest.claim(out, identity)
    with only_writer(out, doing="probing"):
        _ask(arm, rows, asker, out=out, names=names, seed=seed)
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


def _ask(arm: Arm, rows: Sequence[Row], asker: Asker, *, out: Path, names: Sequence[str], seed: int) -> None:
    done = {record.key for record in records.read(out)}
    others = {row.id: row for row in _others(rows, seed=seed)}
    with jsonl.Appender(out / records.FILE) as file:
        for name in names:
            asked: list[Variant] = []
            impossible: list[ProbeRecord] = []
            for row in rows:
                case = Case(row, arm.generations[row.id].text, others.get(row.id), seed, asker.count)
                made = PROBES[name](case)
                if isinstance(made, str):
                    record = ProbeRecord(probe=name, id=row.id, missing=made)
                    impossible += [record] if record.key not in done else []
                else:
                    asked += [variant for variant in made if (name, row.id, variant.share) not in done]
            file.append(record.model_dump(mode="json") for record in impossible)
            if not asked:
                continue
            confidence = _confidences(asker, arm, {variant.row.id: variant.row for variant in asked}.keys())
            asked.sort(key=lambda variant: (-len(variant.prefill), variant.row.id))
            answered = _appended(asker, arm, name, asked, confidence, file)
            for _ in progress(answered, total=len(asked), label=name):
                pass


def _others(rows: Sequence[Row], *, seed: int) -> list[Row]:
    if len({row.images for row in rows if row.images}) < 2:
        return []
    return [row for row in shown_instead(rows, "other", seed=seed, where="the arm's rows") if row.images]


def _confidences(asker: Asker, arm: Arm, ids: Any) -> dict[str, Confidence]:
    rows = [row for row in arm.rows if row.id in ids]
    forks = [
        (row, fork)
        for row in rows
        if (fork := fork_of(row, arm.generations[row.id].text, encode=asker.encode, decode=asker.decode)) is not None
    ]
    return {row.id: one for (row, _), one in zip(forks, asker.confidences(forks), strict=True)}


def _appended(
    asker: Asker, arm: Arm, name: str, asked: Sequence[Variant], confidence: dict[str, Confidence], file: jsonl.Appender
) -> Iterator[Variant]:
    for batch in asker.answers(asked):
        file.append(
            _record(asker, arm, name, variant, text, confidence.get(variant.row.id)).model_dump(mode="json")
            for variant, text in batch
        )
        yield from (variant for variant, _ in batch)


def _record(
    asker: Asker, arm: Arm, name: str, variant: Variant, text: str, confidence: Confidence | None
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
    )
