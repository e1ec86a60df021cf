"""From a teacher's completions to traces, to a soft prompt taught by them and their logits, to its evaluation."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tiny_data import tiny_rows
from vlm_grpo.attention import __main__ as attention
from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.methods import soft_prompt_data
from vlm_grpo.methods.soft_prompt import command, teacher
from vlm_grpo.methods.soft_prompt.traces import REASONS, Said, choose
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl, manifest

BASE = "embedded:qwen2_5_vl"
GOOD = "<think> It is. </think> <answer> True </answer>"
TRAINING = """
model: embedded:qwen2_5_vl
prompt: answer
target: trace
teacher_weight: 0.5
virtual_tokens: 5
per_device_train_batch_size: 4
gradient_checkpointing: false
learning_rate: 1e-2
max_steps: 2
logging_steps: 1
"""


def test_right_well_formed_and_ended_completions_are_kept():
    said = {
        "validation-000": [
            Said(GOOD, is_ended=False, is_right=True),
            Said("True", is_ended=True, is_right=True),
            Said(GOOD, is_ended=True, is_right=False),
            Said(GOOD, is_ended=True, is_right=True),
            Said(f" {GOOD}", is_ended=True, is_right=True),
            Said(GOOD.replace("is", "was"), is_ended=True, is_right=True),
        ],
        "validation-001": [Said("False", is_ended=True, is_right=True)],
        "validation-002": [],
    }
    chosen = choose(tiny_rows(3), said, split="train", most=1)
    (row,) = chosen.rows
    assert (row.id, row.meta["trace"]) == ("validation-000", GOOD)
    assert chosen.counts == {"kept": 1, **dict(zip(REASONS, (1, 2, 1, 1, 1), strict=True)), "completions": 7}
    assert chosen.dropped == [
        {"split": "train", "id": "validation-001", "reason": "1 malformed"},
        {"split": "train", "id": "validation-002", "reason": "no completion"},
    ]
    two = choose(tiny_rows(3), said, split="train", most=2)
    assert [row.id for row in two.rows] == ["validation-000", "validation-000+trace2"]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes") / "data"
    synthetic_vsr.build(root, seed=0, rows={"train": 16, "validation": 8, "test": 8})
    return root


def words(**settings: Any) -> list[str]:
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def test_a_teacher_is_sampled_and_its_traces_are_learnt(scenes, tmp_path, capsys):
    out, run = tmp_path / "traces", tmp_path / "run"
    asked = words(data=scenes, out=out, teacher=BASE, samples=2, max_new_tokens=40, batch_size=8, logits=4)
    soft_prompt_data.main(asked)
    written = manifest.read(out, kind="dataset")
    rows, samples = dataset.load(out, "train"), jsonl.read(out / "samples.jsonl")
    counts = written["traces"]
    assert len(samples) == counts["completions"] == sum(counts.values()) - counts["completions"] == 32
    assert len(rows) == counts["kept"] == 16 - len(written["dropped"])
    texts = {(line["id"], line["text"].strip()) for line in samples}
    for row in rows:
        assert (row.id, row.meta["trace"]) in texts
        assert row.solution in row.meta["trace"].replace("<think>", ""), "right"
    kept = load_file(out / teacher.FILE)
    assert {tensor.shape[1] for name, tensor in kept.items() if not name.endswith(teacher.LABELS)} == {4}
    assert sum(tensor.nbytes for tensor in kept.values()) < 4 * 8 * sum(
        len(tensor) for name, tensor in kept.items() if name.endswith(teacher.LABELS)
    )

    lines = (out / "samples.jsonl").read_text().splitlines(keepends=True)
    (out / "manifest.json").unlink()
    (out / "samples.jsonl").write_text("".join(lines[:21]))
    soft_prompt_data.main(asked)
    assert (out / "samples.jsonl").read_text() == "".join(lines), "cut off, it draws what it would have drawn"

    config = tmp_path / "config.yaml"
    config.write_text(TRAINING)
    command.main(["--config", str(config), "--data", str(out), "--output_dir", str(run)])
    first = jsonl.read(run / "metrics.jsonl")[0]
    assert 0 < first["distance_from_teacher"] < first["loss"] * 2
    capsys.readouterr()
    where = {"model": BASE, "data": str(scenes), "split": "test", "max_new_tokens": 40}
    scores = evaluate(EvaluationArguments(**where, adapter=str(run / "final"), out=str(tmp_path / "said")))
    assert "asked as in training" in capsys.readouterr().err
    assert (scores["n"], scores["prompt"], scores["answers"]) == (8, "answer", "strict")
    plain = evaluate(EvaluationArguments(**where, prompt="answer", out=str(tmp_path / "plain")))
    lengths = [next(iter(generations.read(tmp_path / name).values())).prompt_tokens for name in ("said", "plain")]
    assert plain["n"] == 8
    assert lengths[0] - lengths[1] == 5, "the virtual tokens are counted as the prompt's"
    looked = words(adapter=run / "final", data=scenes, split="test", row="test/00000", max_new_tokens=2)
    attention.main([*looked, "--out", str(tmp_path / "look")])
    page = (tmp_path / "look" / "index.html").read_text()
    assert [f"[{number}]" in page for number in (1, 5, 6)] == [True, True, False]


def test_an_evaluation_is_read_in_place_of_a_teacher(scenes, tmp_path, capsys):
    folder, out = tmp_path / "said", tmp_path / "traces"
    asked = EvaluationArguments(model=BASE, data=str(scenes), split="train", out=str(folder), max_new_tokens=40)
    evaluate(asked)
    soft_prompt_data.main([*words(data=scenes, out=out), "--generations", str(folder)])
    right = {line["id"] for line in jsonl.read(folder / "outcomes.jsonl") if line["right"]}
    said = {id: one.text.strip() for id, one in generations.read(folder).items() if one.text.count("<think>") == 1}
    kept = {row.id: row.meta["trace"] for row in dataset.load(out, "train")}
    assert kept == {id: text for id, text in said.items() if id in right}
    assert 0 < len(kept) < 16
    (folder / "outcomes.jsonl").write_text(
        "".join(json.dumps(line | {"rule": "relaxed"}) + "\n" for line in jsonl.read(folder / "outcomes.jsonl"))
    )
    with pytest.raises(SystemExit):
        soft_prompt_data.main([*words(data=scenes, out=tmp_path / "other"), "--generations", str(folder)])
    assert "was not read by the strict rule" in capsys.readouterr().err
