"""Evaluation in several turns: what a run was rolled out with is what its model is evaluated with, token for token."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from refusals import refusal
from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.environments.double_check import QUESTION
from vlm_grpo.environments.registry import ENVIRONMENTS
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.__main__ import main as evaluation
from vlm_grpo.evaluation.turns import figures
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.store import jsonl
from vlm_grpo.store.manifest import read_json
from vlm_grpo.tasks.base import Outcome

ENDS = list(range(20, 120))
"""Ids that end a turn of a random model, which rarely comes upon its end token."""
LENGTH = "260"


def ending_often(checkpoint: Path, folder: Path) -> Path:
    """A copy of `checkpoint` in `folder` whose turns end at many tokens."""
    shutil.copytree(checkpoint, folder)
    settings = read_json(folder / "generation_config.json", is_ours=False) | {"eos_token_id": ENDS}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return folder


def rolled_out(model: Path, data: Path, run: Path, *words: str) -> dict[str, list]:
    """The turns of each row in a run that always takes the likeliest token, and learns nothing."""
    fixed = ["--top_k", "1", "--learning_rate", "0", "--max_steps", "1", "--num_generations", "2"]
    sizes = ["--per_device_train_batch_size", "8", "--gradient_checkpointing", "false", "--rollout_cache", "true"]
    where = ["--model", str(model), "--data", str(data), "--output_dir", str(run)]
    grpo.main([*where, *fixed, *sizes, "--max_completion_length", LENGTH, *words])
    return {record["row_id"]: record["turns"] for record in jsonl.read(run / "completions.jsonl")}


def asked(model: Path, data: Path, out: Path, *words: str) -> list[str]:
    where = ["--model", str(model), "--data", str(data), "--split", "train", "--out", str(out)]
    return [*where, "--max_new_tokens", LENGTH, "--use_cache", "true", *words]


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_a_double_check_is_evaluated_as_it_was_trained(family, request, tmp_path, capsys):
    model = ending_often(request.getfixturevalue(family), tmp_path / "model")
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(4, split="train"))
    run, out = tmp_path / "run", tmp_path / "asked"
    trained = rolled_out(model, data, run, "--environment", "double_check")
    evaluation(asked(model, data, out, "--adapter", str(run / "final"), "--batch_size", "3"))
    answers = generations.read(out)
    assert {id: answer.turns for id, answer in answers.items()} == trained
    assert any(len(turns) == 3 and turns[1]["text"] == QUESTION for turns in trained.values())
    for answer in answers.values():
        assert answer.text == answer.turns[-1]["text"], "the last turn is what is judged"
    shown = capsys.readouterr()
    assert "environment double_check" in shown.err
    assert "right at first only" in shown.out
    found = read_json(out / "scores.json")["environment"]
    assert found["turns"] == sum((len(turns) + 1) // 2 for turns in trained.values()) / 4

    once = tmp_path / "once"
    evaluation(asked(model, data, once, "--adapter", str(run / "final"), "--environment", "none"))
    assert all(answer.turns is None for answer in generations.read(once).values())
    assert "environment None instead of double_check" in capsys.readouterr().err
    line = refusal(
        capsys, evaluation, asked(model, data, out, "--adapter", str(run / "final"), "--environment", "none")
    )
    assert "belongs to another run (sampling" in line


@pytest.mark.parametrize(
    "caller",
    [pytest.param(name, marks=pytest.mark.nightly) for name in ("calling_qwen", "calling_qwen3")],
    ids=["texts", "native calls"],
)
def test_a_zoom_is_evaluated_with_the_same_regions(caller, request, tiny_digits, tmp_path):
    model, run, out = request.getfixturevalue(caller), tmp_path / "run", tmp_path / "asked"
    trained = rolled_out(model, tiny_digits, run, "--environment", "zoom", "--max_tool_calling_iterations", "2")
    evaluation(asked(model, tiny_digits, out, "--adapter", str(run / "final"), "--batch_size", "3"))
    answers = generations.read(out)
    assert {id: answer.turns for id, answer in answers.items()} == trained
    assert any("pictures" in turn for turns in trained.values() for turn in turns), "a region was shown"
    found = read_json(out / "scores.json")["environment"]
    assert "first" not in found, "a call is no answer"
    assert found["format"] > 0


def test_what_is_said_in_each_turn_counts_for_format_and_the_last_for_right():
    rows = tiny_rows(2, split="train")  # true: True, False
    good, wrong = (f"<think> so </think> <answer> {answer} </answer>" for answer in (True, False))
    said = {rows[0].id: [good, "<answer> True </answer>"], rows[1].id: [wrong, good]}
    found = figures(
        ENVIRONMENTS["double_check"],
        {id: SimpleNamespace(said=texts) for id, texts in said.items()},
        rows,
        {rows[0].id: Outcome(True, True, 1.0, True), rows[1].id: Outcome(True, False, 0.0, False)},
        rule="strict",
        views={},
        confidence=0.95,
    )
    assert (found["turns"], found["format"]) == (2.0, 0.75), "the first row's second turn lacks a thought"
    assert (found["first"]["correct"], found["b"], found["c"]) == (2, 1, 0), "the second row was right at first only"
