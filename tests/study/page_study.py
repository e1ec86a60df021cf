"""A small finished study for tests of its pages: three arms, a training with rollouts, a judge's verdicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tiny_data import save_tiny_data
from tiny_generations import save_arm, save_tiny_arm
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.faithfulness import scores
from vlm_grpo.faithfulness.probes import PROBES, Case, others_of
from vlm_grpo.faithfulness.records import FILE, KIND, SCORES, ProbeRecord
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.study.report import report
from vlm_grpo.tasks.rec.task import NAME, OFFERS_NONE

ODD_NAME = 'images/"><img src=x>%41 #1.png'
HOSTILE = (
    "<think> <img src=x onerror=\"document.title='owned'\"> </think> \u202egnol\u2028 "
    '<script>document.title="owned"</script> </script> <answer> True </answer> &amp; ]]> אבג ' + "x" * 2000
)
STEPS, GROUP = 6, 4


def save_training(folder: Path, data: Path, *, kind: str = "grpo", texts: Sequence[str] = ()) -> Path:
    """A finished training: metrics, and with `texts` two groups of rollouts a step over them in turn."""
    rows = dataset.load(data, "validation")
    with jsonl.Appender(folder / "metrics.jsonl") as file:
        file.append(metrics(step) for step in range(1, STEPS + 1))
    if texts:
        with jsonl.Appender(folder / "completions.jsonl") as file:
            for step in range(1, STEPS + 1):
                for row in (rows[step % 4], rows[4 + step % 4]):
                    file.append(rollout(step, row.id, texts[(step + n) % len(texts)], n) for n in range(GROUP))
    config = {"data": str(data), "split": "validation", "model": "m", "num_generations": GROUP, "answers": "strict"}
    more = {"beta": 0.04} if kind == "grpo" else {}
    manifest.write(folder, kind=kind, config=config | more | {"seed": 42}, inputs={}, counts={}, seconds=60.0)
    return folder


def metrics(step: int) -> dict[str, Any]:
    return {
        "step": step,
        "reward": step / 10,
        "rewards/accuracy/mean": step / 20,
        "probes/reasoned/mean": 0.5,
        "kl": 0.01 * step,
        "groups/without_variance": 0.9,
        "loss": 0.0,
        "learning_rate": 1e-5,
    }


def rollout(step: int, row_id: str, text: str, place: int) -> dict[str, Any]:
    return {
        "step": step,
        "row_id": row_id,
        "images": [],
        "text": f"{text} step{step} n{place}",
        "rewards": {"accuracy": float(place % 2), "format": None if place == 3 else 1.0},
        "advantage": place - 1.5,
    }


def save_verdicts(results: Path, run: str, rows: Sequence[str]) -> None:
    """Verdicts on `run` as the study's alignment tables leave them: the first row's reasoning is misaligned."""
    file = results.parent / "verdicts" / "verdicts.jsonl"
    with jsonl.Appender(file) as verdicts:
        verdicts.append(
            {
                "row_id": id,
                "model": run,
                "repeat": 0,
                "aligns": place > 0,
                "type": None if place else "contradiction",
                "why": f"because <b>{place}</b>",
                "judge": "rules",
            }
            for place, id in enumerate(rows)
        )
    folder = results / "alignment" / run / "42"
    manifest.write(folder, kind="alignment", config={}, inputs={str(file): "hash"}, counts={}, seconds=0.1)


def save_probes(folder: Path, evaluation: Path, *, said: bool = False) -> Path:
    """Finished probes of an evaluation whose model answers `said` to each; its last row cannot be cut."""
    arm = open_arm(evaluation)
    names = ["wrong_think", "wrong_caption", "early_answering", "other_picture", "mirrored_picture"]
    others = others_of(arm.rows, seed=0)
    made = []
    for name in names:
        for row in arm.rows:
            variants = PROBES[name](Case(row, arm.generations[row.id].text, others.get(row.id), 0, len))
            if isinstance(variants, str) or (name == "early_answering" and row is arm.rows[-1]):
                made.append(ProbeRecord(probe=name, id=row.id, missing=f"{name} <i>cannot</i>"))
                continue
            before = arm.outcomes[row.id]
            made += [
                ProbeRecord(
                    probe=name, id=row.id, share=variant.share, pushed=variant.pushed, prefill=variant.prefill,
                    text=f"{variant.prefill} <answer> {said} </answer>", said=said, truth=before.truth,
                    credit=float(before.truth is said), right=before.truth is said, same=before.said is said,
                    before_right=before.right,
                )
                for variant in variants
            ]  # fmt: skip
    jsonl.write(folder / FILE, (record.model_dump(mode="json") for record in made))
    atomic.write_json(folder / SCORES, scores.summarise(made, rows=arm.rows, names=names, seed=0))
    config = {"arm": str(evaluation), "probes": names, "limit": None, "seed": 0}
    manifest.write(folder, kind=KIND, config=config, inputs=arm.manifest["inputs"], counts={}, seconds=0.1)
    return folder


def save_page_study(root: Path, *, title: str = "Does it <i>reason</i>?") -> Path:
    """The study; returns the folder of its report."""
    data = save_tiny_data(root / "data")
    arms = {
        "base": save_tiny_arm(root / "base", data, right=range(6)),
        "sft": save_tiny_arm(root / "sft", data, right=range(3, 12), text=HOSTILE),
        "grpo": save_tiny_arm(root / "grpo", data, right=range(12)),
    }
    said = ("<think> It is. </think> <answer> True </answer>", HOSTILE, "no answer at all")
    stages = {
        "data": data,
        "train sft": save_training(root / "train_sft", data, kind="sft"),
        "train grpo": save_training(root / "train_grpo", data, texts=said),
    }
    results = root / "results"
    metrics_of = {"grpo": root / "train_grpo" / "metrics.jsonl"}
    report(results, runs=arms, metrics=metrics_of, stages=stages, title=title)
    save_probes(root / "probes", arms["grpo"])
    save_verdicts(results, "grpo", [row.id for row in dataset.load(data, "validation")])
    return results


def save_odd_names(root: Path) -> Path:
    """A study over one picture of 900 x 600 pixels; its file and the rows are called what would be markup."""
    rows = [
        Row(id=f"<b>{n}</b>", images=(ODD_NAME,), problem="Is it?", solution="<answer> True </answer>", task="vsr")
        for n in range(3)
    ]
    data = save_tiny_data(root / "data", validation=rows)
    Image.effect_noise((900, 600), 90).convert("RGB").save(data / ODD_NAME)
    arm = save_tiny_arm(root / "base", data, right=range(3))
    report(root / "results", runs={"base": arm}, metrics={}, stages={}, title="Large")
    return root / "results"


def save_boxes(root: Path) -> Path:
    """A study of boxes: the first of three rows has no target, and the second run cannot be read on the last."""
    truths = ["no target", [10, 20, 60, 80], [0, 0, 112, 56]]
    rows = [
        Row(
            id=f"box-{n}",
            images=("images/red.png",),
            problem="Where is the circle?",
            solution=str(truth),
            task=NAME,
            meta={OFFERS_NONE: True},
        )
        for n, truth in enumerate(truths)
    ]
    data = save_tiny_data(root / "data", validation=rows)
    arms = {}
    for name, texts in {"base": ["[1, 2, 3, 4]"] * 3, "grpo": ["no target", "[10, 20, 60, 81]", "somewhere"]}.items():
        answers = {row.id: f"<answer> {text} </answer>" for row, text in zip(rows, texts, strict=True)}
        arms[name] = save_arm(root / name, data, answers, task=NAME)
    report(root / "results", runs=arms, metrics={}, stages={}, title="Boxes")
    return root / "results"
