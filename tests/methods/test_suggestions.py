"""Training rows with captions and thoughts: how many, the same for a seed, who reads them, and what has none."""

import json

import numpy as np
import pytest
from PIL import Image

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.errors import UserError
from vlm_grpo.methods.examples import grpo_dataset
from vlm_grpo.methods.fast.processing import DistinctProcessing, PictureLists
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.beginnings import Begun
from vlm_grpo.methods.grpo.suggestions import suggesting
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.asking import ADDED_CAPTION, beginning_of, messages, texts
from vlm_grpo.tasks.view import AS_IS

CLAIM = "Is the following statement true: The red circle is left of the blue square."
ROWS = [Row(id=str(i), images=(), problem=CLAIM, solution=str(i % 2 == 0), task="synthetic_vsr") for i in range(20)]
LEFT, RIGHT = "The red circle is left of the blue square.", "The red circle is right of the blue square."


def added(rows):
    return {row.id: row.meta[ADDED_CAPTION] for row in rows if ADDED_CAPTION in row.meta}


def test_as_many_rows_as_asked_have_each_kind_and_the_same_for_the_same_seed():
    rows = suggesting(ROWS, (0.1, 0.3, 0, 0), seed=1, where="data")
    told = added(rows)
    right = [id for id, caption in told.items() if caption == (LEFT if int(id) % 2 == 0 else RIGHT)]
    assert (len(right), len(told)) == (2, 8)
    assert set(told.values()) == {LEFT, RIGHT}
    assert [(row.id, row.problem, row.solution) for row in rows] == [(r.id, r.problem, r.solution) for r in ROWS]
    assert added(suggesting(ROWS, (0.1, 0.3, 0, 0), seed=1, where="data")) == told
    assert added(suggesting(ROWS, (0.1, 0.3, 0, 0), seed=2, where="data")) != told
    assert len(added(suggesting(ROWS[:3], (0.5, 0.5, 0, 0), seed=1, where="data"))) == 3


def test_the_caption_is_in_the_prompt_and_out_of_what_rewards_read(tmp_path):
    (row,) = suggesting(ROWS[:1], (0, 1, 0, 0), seed=0, where="data")
    (record,) = grpo_dataset([row], root=tmp_path, prompt="reason", views={row.id: AS_IS}).with_format(None)
    asked = record["prompt"][0]["content"]
    assert f"{RIGHT} {CLAIM}" in asked
    assert f"{RIGHT} {CLAIM}" in json.dumps(messages(row, template="reason"))
    assert texts(row) == (f"{RIGHT} {CLAIM}",)
    scored = Row.model_validate_json(record["row"])
    completion = "<think> The red circle is in column 1, the blue square in column 4. </think> <answer> True </answer>"
    for name in ("consistency", "accuracy", "consistent_and_right"):
        assert REWARDS[name].score(completion, scored, rule="strict") == 1.0


def test_a_run_on_captions_and_thoughts_is_another_run(tiny_qwen, tmp_path, capsys):
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(8, split="train"))
    words = ["--model", str(tiny_qwen), "--data", str(data), "--output_dir", str(tmp_path / "out"), "--max_steps", "1"]
    words += ["--num_generations", "2", "--per_device_train_batch_size", "8", "--max_completion_length", "4"]
    words += ["--gradient_checkpointing", "false", "--wrong_captions", "0.5"]
    words += ["--right_thoughts", "0.25", "--wrong_thoughts", "0.25"]
    grpo.main(words)
    lines = jsonl.read(tmp_path / "out" / "completions.jsonl")
    thoughts = [line for line in lines if line["text"].startswith("<think> All in all, the answer is ")]
    assert (len(lines), len(thoughts)) == (8, 4)
    assert len({line["text"] for line in thoughts}) > 2, "they go on"
    with pytest.raises(SystemExit):
        grpo.main([*words, "--environment", "double_check"])
    assert "double_check answers in turns; leave one of them out" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        grpo.main([*words[:-1], "0"])
    assert "belongs to another run" in capsys.readouterr().err


def begun(rows):
    return {row.id: beginning_of(row) for row in rows if beginning_of(row)}


def test_thoughts_and_captions_are_drawn_together_and_no_row_has_two():
    rows = suggesting(ROWS, (0.1, 0.1, 0.2, 0.3), seed=1, where="data")
    captions, thoughts = added(rows), begun(rows)
    assert (len(captions), len(thoughts)) == (4, 10)
    assert not captions.keys() & thoughts.keys()
    ends_on = {id: thought.endswith("so it is left. </think>") for id, thought in thoughts.items()}
    assert sum(left is (int(id) % 2 == 0) for id, left in ends_on.items()) == 4, "right ones"


def test_rewards_read_thought_and_completion_as_one_text(tmp_path):
    (row,) = suggesting(ROWS[:1], (0, 0, 0, 1), seed=0, where="data")
    (record,) = grpo_dataset([row], root=tmp_path, prompt="reason", views={row.id: AS_IS}).with_format(None)
    assert "column" not in record["prompt"][0]["content"]
    said = [[{"role": "assistant", "content": f" <answer> {answer} </answer>"}] for answer in ("True", "False")]
    columns = {"row": [record["row"]] * 2, "view": [record["view"]] * 2}
    scores = {
        name: REWARDS[name].for_trainer("strict")(said, **columns) for name in ("accuracy", "format", "consistency")
    }
    assert scores == {"accuracy": [1.0, 0.0], "format": [1.0, 1.0], "consistency": [0.0, 1.0]}


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_prompts_end_in_the_thought_for_generation_and_scoring_alike(family, request):
    processor = open_checkpoint(str(request.getfixturevalue(family))).load_processor()
    picture = Image.effect_noise((56, 56), 60).convert("RGB")
    asked = [{"type": "image", "image": picture}, {"type": "text", "text": "Is it?"}]
    turns = [[{"role": "user", "content": asked}]] * 2
    thought = "<think> It is. </think>"
    settings = {"add_generation_prompt": True, "tokenize": True, "return_dict": True}
    stock = processor.apply_chat_template(conversation=turns, **settings)
    alike = Begun(PictureLists(processor), ["", ""]).apply_chat_template(conversation=turns, **settings)
    assert alike.keys() == stock.keys()
    assert all(np.array_equal(np.asarray(alike[name]), np.asarray(stock[name])) for name in stock)
    stand_in = Begun(DistinctProcessing(processor), ["", thought])
    generated = stand_in.apply_chat_template(conversation=turns, **settings)["input_ids"]
    texts = [processor.apply_chat_template(one, add_generation_prompt=True, tokenize=False) for one in turns]
    scored = stand_in(images=[[picture]] * 2, text=texts, padding=True, padding_side="left", return_tensors="pt")
    kept = [ids[mask.bool()].tolist() for ids, mask in zip(scored["input_ids"], scored["attention_mask"], strict=True)]
    assert [list(ids) for ids in generated] == kept
    assert generated[0] == stock["input_ids"][0]
    assert processor.tokenizer.decode(generated[1]).endswith(thought)


def test_what_cannot_be_captioned_is_one_line(tmp_path, capsys, tiny_qwen):
    text = ROWS[0].model_copy(
        update={"task": "jsonl", "solution": "a bus", "meta": {"accu_reward_method": "all_match"}}
    )
    with pytest.raises(UserError, match="data row 0: no wrong answer is known"):
        suggesting([text], (0, 1, 0, 0), seed=0, where="data")
    box = ROWS[0].model_copy(update={"task": "rec", "solution": "[1, 2, 3, 4]"})
    with pytest.raises(UserError, match="its answer lies in the picture"):
        suggesting([box], (1, 0, 0, 0), seed=0, where="data")
    words = ["--model", str(tiny_qwen), "--data", "nowhere", "--output_dir", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        grpo.main([*words, "--right_captions", "0.6", "--wrong_captions", "0.6"])
    assert "shares of the same rows" in capsys.readouterr().err
