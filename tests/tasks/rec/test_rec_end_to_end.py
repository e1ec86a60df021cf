"""From REFER's files to outcomes with a real model: it learns a box by heart in its frame, and is scored in pixels."""

import json
from collections import Counter

import pytest

import refer_files
from vlm_grpo.evaluation import outcomes
from vlm_grpo.evaluation.__main__ import main as evaluate
from vlm_grpo.faithfulness import __main__ as faithfulness
from vlm_grpo.methods import examples
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.rewards import registry
from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.rec.command import main as build
from vlm_grpo.tasks.view import View

SIZES = {11: (112, 112), 12: (224, 224)}
BOXES = {101: (11, 1, [28, 28, 56, 56]), 102: (12, 2, [56, 56, 112, 112])}
"""The second is the first in a picture of twice the size, which the processor shows at the size of the first."""
SENTENCES = {101: ("train", ["the left dog"]), 102: ("train", ["right cat"])}
SHOWN = ["--min_pixels", "12544", "--max_pixels", "12544"]
BY_HEART = {"tiny_qwen": "[28, 28, 84, 84]", "tiny_internvl": "[250, 250, 750, 750]"}
"""What each family learns to say, in the frame of its own."""


@pytest.fixture
def data(tmp_path, monkeypatch):
    for name, value in (("SIZES", SIZES), ("BOXES", BOXES), ("SENTENCES", SENTENCES)):
        monkeypatch.setattr(refer_files, name, value)
    images = refer_files.save_pictures(tmp_path / "train2014")
    file = refer_files.save_refer(tmp_path / "refcoco")
    build(["refer", "--out", str(tmp_path / "data"), "--images", str(images), "--refs", f"refcoco={file}"])
    return tmp_path / "data"


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_internvl"])
def test_boxes_are_learnt_said_and_scored_in_one_frame(family, data, tmp_path, request, capsys):
    model, run = request.getfixturevalue(family), tmp_path / "run"
    shown = SHOWN if family == "tiny_qwen" else []
    common = ["--model", str(model), "--data", str(data), "--split", "train", "--prompt", "reason", *shown]
    learning = ["--learning_rate", "1e-2", "--lr_scheduler_type", "constant", "--lora_dropout", "0"]
    quiet = ["--gradient_checkpointing", "false", "--report_to", "none", "--save_strategy", "no"]
    batch = ["--per_device_train_batch_size", "2", "--max_steps", "24"]
    sft.main([*common, "--target", "tagged", "--output_dir", str(run), *learning, *quiet, *batch])
    evaluate([*common, "--adapter", str(run / "final"), "--out", str(tmp_path / "test"), "--max_new_tokens", "24"])
    texts = {record["text"].strip() for record in jsonl.read(tmp_path / "test" / "generations.jsonl")}
    assert texts == {f"<answer> {BY_HEART[family]} </answer>"}
    judged = outcomes.read(tmp_path / "test")
    assert [(record.said, record.credit, record.right) for record in judged.values()] == [
        ([28, 28, 84, 84], 1.0, True),
        ([56, 56, 168, 168], 1.0, True),
    ]
    scores = json.loads((tmp_path / "test" / "scores.json").read_text())
    assert [scores[name] for name in ("iou", "acc_50", "acc_90", "centre")] == [1, 1, 1, 1]
    assert scores["categories"]["cat"]["n"] == 1
    faithfulness.main(["--arm", str(tmp_path / "test"), "--out", str(tmp_path / "probes"), "--probe", "other_picture"])
    probed = {(record["probe"], record["id"]): record for record in jsonl.read(tmp_path / "probes" / "probes.jsonl")}
    assert probed["other_picture", "refcoco-1010"]["said"] == [56, 56, 168, 168], "in pixels of the picture shown"
    printed = capsys.readouterr().out
    assert "Acc@0.5" in printed
    assert "VLM-R1 reports" in printed


def seen_width(completion, row, *, rule, view):
    """A number that only the row's own reference, picture and view give together."""
    left, _, right, _ = json.loads(row.solution)
    return (right - left) / row.meta["width"] + view.sizes[0][0] + 1000 * view.shown[0][0]


def test_each_completion_is_rewarded_by_its_own_row_and_view(data, tiny_qwen, tmp_path, monkeypatch):
    """Several prompts in a batch, each repeated for its group and for a second iteration (VLM-R1 #129)."""
    reward = Reward(name="seen_width", score=seen_width, minimum=0.0, maximum=1e9, gold=(), hacks=())
    monkeypatch.setitem(registry.REWARDS, "seen_width", reward)
    base = ["--model", str(tiny_qwen), "--data", str(data), "--split", "train", "--output_dir", str(tmp_path / "run")]
    rollouts = ["--num_generations", "2", "--per_device_train_batch_size", "4", "--max_completion_length", "4"]
    steps = ["--num_iterations", "2", "--max_steps", "6", "--save_strategy", "no", "--report_to", "none"]
    rewards = ["--rewards", "seen_width", "iou", "--max_pixels", "50176", "--gradient_checkpointing", "false"]
    grpo.main([*base, *rewards, *rollouts, *steps])
    lines = jsonl.read(tmp_path / "run" / "completions.jsonl")
    expected = {"refcoco-1010": 0.5 + 112 + 112_000, "refcoco-1020": 0.5 + 224 + 224_000}
    assert [line["rewards"]["seen_width"] for line in lines] == [expected[line["row_id"]] for line in lines]
    assert {line["rewards"]["iou"] for line in lines} == {0.0}
    assert {line["view"]["sizes"][0][0] for line in lines} == {112, 224}, "where a box was meant is kept beside it"
    groups = [{line["row_id"] for line in lines[at : at + 2]} for at in range(0, len(lines), 2)]
    assert all(len(group) == 1 for group in groups), "a group is of one prompt"
    assert len(Counter(line["row_id"] for line in lines)) == 2


def test_rollouts_and_sft_are_told_the_frame(data):
    rows = dataset.load(data, "train")
    seen = {
        row.id: View(frame="resized_pixels", sizes=((row.meta["width"], row.meta["height"]),), shown=((112, 84),))
        for row in rows
    }
    of_grpo = examples.grpo_dataset(rows, root=data, prompt="reason", views=seen)
    of_sft = examples.sft_dataset(rows, root=data, prompt="reason", target="tagged", views=seen)
    for asked in (*of_grpo, *of_sft):
        text = asked["prompt"][0]["content"]
        assert "a box [x1, y1, x2, y2] in pixels of the 112 x 84 image, inside <answer>" in text
    assert [row["completion"][0]["content"] for row in of_sft] == ["<answer> [28, 21, 84, 63] </answer>"] * 2
