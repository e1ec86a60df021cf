"""Training rows with captions: how many, the same for the same seed, in the prompt alone, and what has none."""

import json

import pytest

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.errors import UserError
from vlm_grpo.methods.examples import grpo_dataset
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.captions import captioned
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.asking import ADDED_CAPTION, messages, texts
from vlm_grpo.tasks.view import AS_IS

CLAIM = "Is the following statement true: The red circle is left of the blue square."
ROWS = [Row(id=str(i), images=(), problem=CLAIM, solution=str(i % 2 == 0), task="synthetic_vsr") for i in range(20)]
LEFT, RIGHT = "The red circle is left of the blue square.", "The red circle is right of the blue square."


def added(rows):
    return {row.id: row.meta[ADDED_CAPTION] for row in rows if ADDED_CAPTION in row.meta}


def test_as_many_rows_as_asked_have_each_kind_and_the_same_for_the_same_seed():
    rows = captioned(ROWS, right=0.1, wrong=0.3, seed=1, where="data")
    told = added(rows)
    right = [id for id, caption in told.items() if caption == (LEFT if int(id) % 2 == 0 else RIGHT)]
    assert (len(right), len(told)) == (2, 8)
    assert set(told.values()) == {LEFT, RIGHT}
    assert [(row.id, row.problem, row.solution) for row in rows] == [(r.id, r.problem, r.solution) for r in ROWS]
    assert added(captioned(ROWS, right=0.1, wrong=0.3, seed=1, where="data")) == told
    assert added(captioned(ROWS, right=0.1, wrong=0.3, seed=2, where="data")) != told
    assert len(added(captioned(ROWS[:3], right=0.5, wrong=0.5, seed=1, where="data"))) == 3


def test_the_caption_is_in_the_prompt_and_out_of_what_rewards_read(tmp_path):
    (row,) = captioned(ROWS[:1], right=0, wrong=1, seed=0, where="data")
    (record,) = grpo_dataset([row], root=tmp_path, prompt="reason", views={row.id: AS_IS}).with_format(None)
    asked = record["prompt"][0]["content"]
    assert f"{RIGHT} {CLAIM}" in asked
    assert f"{RIGHT} {CLAIM}" in json.dumps(messages(row, template="reason"))
    assert texts(row) == (f"{RIGHT} {CLAIM}",)
    scored = Row.model_validate_json(record["row"])
    completion = "<think> The red circle is in column 1, the blue square in column 4. </think> <answer> True </answer>"
    for name in ("consistency", "accuracy", "consistent_and_right"):
        assert REWARDS[name].score(completion, scored, rule="strict") == 1.0


def test_a_run_on_captions_is_another_run(tiny_qwen, tmp_path, capsys):
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(8, split="train"))
    words = ["--model", str(tiny_qwen), "--data", str(data), "--output_dir", str(tmp_path / "out"), "--max_steps", "1"]
    words += ["--num_generations", "2", "--per_device_train_batch_size", "4", "--max_completion_length", "4"]
    words += ["--gradient_checkpointing", "false", "--wrong_captions", "0.5"]
    grpo.main(words)
    assert len(jsonl.read(tmp_path / "out" / "completions.jsonl")) == 4
    with pytest.raises(SystemExit):
        grpo.main([*words[:-1], "0.25"])
    assert "belongs to another run" in capsys.readouterr().err


def test_what_cannot_be_captioned_is_one_line(tmp_path, capsys, tiny_qwen):
    text = ROWS[0].model_copy(
        update={"task": "jsonl", "solution": "a bus", "meta": {"accu_reward_method": "all_match"}}
    )
    with pytest.raises(UserError, match="data row 0: no wrong answer is known"):
        captioned([text], right=0, wrong=1, seed=0, where="data")
    box = ROWS[0].model_copy(update={"task": "rec", "solution": "[1, 2, 3, 4]"})
    with pytest.raises(UserError, match="its answer lies in the picture"):
        captioned([box], right=1, wrong=0, seed=0, where="data")
    words = ["--model", str(tiny_qwen), "--data", "nowhere", "--output_dir", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        grpo.main([*words, "--right_captions", "0.6", "--wrong_captions", "0.6"])
    assert "shares of the same rows" in capsys.readouterr().err
