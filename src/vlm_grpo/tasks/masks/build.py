"""From COCO's instances to rows of `masks`, and to the README's lines: one object a row.

The manifest tells, by split, what was left out and why, and what encoding and decoding leave of the masks: the IoU of
all rows in the codec that they are written in, and of a sample of them in every codec.
"""

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vlm_grpo.errors import UserError
from vlm_grpo.progress import progress
from vlm_grpo.rows import dataset
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.store.provenance import text_hash
from vlm_grpo.tasks.coco import files
from vlm_grpo.tasks.coco.instances import Instance, Instances, Rle
from vlm_grpo.tasks.coco.options import Source, counted
from vlm_grpo.tasks.masks import conversations, outlines, questions
from vlm_grpo.tasks.masks.codecs import CODECS
from vlm_grpo.tasks.masks.policies import Dropped, Policy, stored_mask
from vlm_grpo.tasks.masks.questions import Question
from vlm_grpo.tasks.masks.task import DEFAULT, NAME

DROPPED = "dropped.jsonl"
SAMPLE = 500
"""Masks of a split, at most, that are tried in every codec."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How masks are written and asked for, and which are left out; expressions are by annotation id."""

    codec: str = DEFAULT
    question: Question = "auto"
    policy: Policy = field(default_factory=Policy)
    expressions: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """An object that becomes a row: its stored mask, what is asked and by which hint."""

    instance: Instance
    mask: Rle
    problem: str
    hint: str


def choose(read: Instances, choice: Choice, *, kinds: Sequence[str]) -> Iterator[Chosen | tuple[str, Dropped]]:
    """The objects of `kinds` in the file's order, each as a row or with the reason why it is left out."""
    yield from ((id, Dropped("unusable object", reason)) for id, reason in read.faults)
    alone = questions.alone(read.instances)
    for instance in read.instances:
        if instance.category not in kinds:
            continue
        asked = questions.problem(
            instance, choice.question, is_alone=instance.id in alone, expressions=choice.expressions
        )
        if asked is None:
            yield str(instance.id), Dropped("no expression", "no expression names it")
            continue
        rle = stored_mask(instance, choice.policy)
        yield (str(instance.id), rle) if isinstance(rle, Dropped) else Chosen(instance, rle, *asked)


def as_row(chosen: Chosen, *, split: str, number: int, codec: str) -> Row:
    """The row of an object, the `number`th of its split from 1."""
    instance = chosen.instance
    reference = CODECS[codec].encode(outlines.pixels(chosen.mask))
    height, width = chosen.mask["size"]
    decoded = outlines.filled(CODECS[codec].decode(reference), width=width, height=height)
    return Row(
        id=f"{split}-{number}",
        images=(files.picture_name(instance.picture, split),),
        problem=chosen.problem,
        solution=json.dumps(chosen.mask),
        task=NAME,
        meta={
            "codec": codec,
            "reference": json.dumps(reference),
            "round_trip": round(outlines.iou(decoded, chosen.mask), 4),
            "category": instance.category,
            "hint": chosen.hint,
            "area": outlines.area(chosen.mask),
            "ann_id": instance.id,
            "image_id": instance.picture.id,
        },
    )


def round_trips(rows: Sequence[Row], *, codec: str, seed: str) -> dict[str, Any]:
    """What is left of the masks of a split after encoding and decoding: `all` of them, and a `sample` by codec."""
    sample = random.Random(f"round trip {seed}").sample(rows, min(SAMPLE, len(rows)))
    by_codec = {
        name: _summary([other.round_trip(json.loads(row.solution)) for row in sample]) for name, other in CODECS.items()
    }
    return {"codec": codec, "all": _summary([row.meta["round_trip"] for row in rows]), "sample": by_codec}


def _summary(ious: Sequence[float]) -> dict[str, Any]:
    values = np.array(ious)
    return {
        "n": len(values),
        "mean": round(float(values.mean()), 4),
        "median": round(float(np.median(values)), 4),
        "lowest_tenth": round(float(np.quantile(values, 0.1)), 4),
    }


def build(out: Path, source: Source, choice: Choice) -> dict[str, Any]:
    """Write the data set and the README's lines to `out`, if they are not there; the manifest."""
    started = time.monotonic()
    config: dict[str, Any] = {"splits": source.splits, "limit": source.limit, "categories": source.categories}
    config |= {"codec": choice.codec, "question": choice.question, **asdict(choice.policy)}
    expressions = {str(id): text for id, text in choice.expressions.items()}
    identity = {"kind": dataset.KIND, "task": NAME, "sha256": source.have_annotations(), **config}
    identity |= {"expressions": text_hash(json.dumps(expressions, sort_keys=True))} if expressions else {}
    if manifest.is_claimed(out, identity, beside=files.BESIDE) and manifest.exists(out):
        return manifest.read(out, kind=dataset.KIND)
    read = {split: source.read(split) for split in source.splits}
    manifest.claim(out, identity, beside=files.BESIDE)
    with only_writer(out, doing="building"):
        splits: dict[str, list[Row]] = {}
        dropped: list[dict[str, Any]] = []
        for split, content in read.items():
            rows, left_out = _rows(split, content, source, choice)
            splits[files.SPLITS[split]] = rows
            dropped += left_out
            if not rows:
                raise UserError(f"{out}: no object of {split} is left: {left_out[-1]['reason']}")
        if out.resolve() != source.folder.resolve():
            bring({out / row.images[0]: source.folder / row.images[0] for rows in splits.values() for row in rows})
        for split in source.splits:
            rows = splits[files.SPLITS[split]]
            jsonl.write(out / f"{split}.jsonl", [conversations.line(row, n) for n, row in enumerate(rows, start=1)])
        jsonl.write(out / DROPPED, dropped)
        dataset.save(
            out,
            splits,
            source={"name": "COCO 2014", "sha256": identity["sha256"]},
            config=config,
            seconds=time.monotonic() - started,
            dropped_by_kind=counted(dropped),
            round_trip={
                split: round_trips(splits[files.SPLITS[split]], codec=choice.codec, seed=split)
                for split in source.splits
            },
        )
    return manifest.read(out, kind=dataset.KIND)


def _rows(split: str, content: Instances, source: Source, choice: Choice) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows of a split whose pictures are there, and what is left out."""
    kinds = source.asked(content)
    chosen: list[Chosen] = []
    dropped: list[dict[str, Any]] = []
    for entry in choose(content, choice, kinds=kinds):
        if isinstance(entry, Chosen):
            chosen.append(entry)
        else:
            dropped.append(_drop(split, *entry))
        if len(chosen) == source.limit:
            break
    pictures = {entry.instance.picture.id: entry.instance.picture for entry in chosen}
    failed = source.have_pictures(list(pictures.values()), split)
    rows: list[Row] = []
    for entry in progress(chosen, total=len(chosen), label=f"encoding {split}"):
        name = files.picture_name(entry.instance.picture, split)
        if name in failed:
            dropped.append(_drop(split, str(entry.instance.id), Dropped("no picture", failed[name])))
        else:
            rows.append(as_row(entry, split=split, number=len(rows) + 1, codec=choice.codec))
    return rows, dropped


def _drop(split: str, id: str, why: Dropped) -> dict[str, Any]:
    return {"split": split, "id": f"object {id}", "kind": why.kind, "reason": why.reason}
