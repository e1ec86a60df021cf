"""A curriculum by a column: low values first, whatever the seed, and the sampler keeps that order, resumed or not."""

import pytest

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.errors import UserError
from vlm_grpo.methods import examples
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.store import jsonl


def with_words(rows):
    return [row.model_copy(update={"meta": {**row.meta, "words": 3 - at % 3}}) for at, row in enumerate(rows)]


def test_low_values_come_first_in_a_seeded_order():
    rows = with_words(tiny_rows(30))
    ordered = examples.by_curriculum(rows, column="words", seed=1, where="data")
    assert [row.meta["words"] for row in ordered] == [1] * 10 + [2] * 10 + [3] * 10
    assert sorted(row.id for row in ordered) == [row.id for row in rows]
    assert [row.id for row in ordered[:10]] != sorted(row.id for row in ordered[:10])
    assert ordered == examples.by_curriculum(rows, column="words", seed=1, where="data")
    assert ordered != examples.by_curriculum(rows, column="words", seed=2, where="data")


@pytest.mark.parametrize("column, told", [("relation", "'left of'"), ("letters", "None")])
def test_a_column_without_numbers_is_one_line(column, told):
    with pytest.raises(UserError, match=rf"data row validation-000: curriculum '{column}' needs a column of numbers"):
        examples.by_curriculum(with_words(tiny_rows(3)), column=column, seed=1, where="data")
    with pytest.raises(UserError, match=rf"here it is {told}; its columns: relation, words"):
        examples.by_curriculum(with_words(tiny_rows(3)), column=column, seed=1, where="data")


def test_training_keeps_the_order_through_both_epochs(tiny_qwen, tmp_path):
    data = save_tiny_data(tmp_path / "data", train=with_words(tiny_rows(12, split="train")))
    words = {row.id: row.meta["words"] for row in with_words(tiny_rows(12, split="train"))}
    config = tmp_path / "config.yaml"
    config.write_text(
        f"model: {tiny_qwen}\ndata: {data}\noutput_dir: {tmp_path / 'out'}\nnum_generations: 2\n"
        "per_device_train_batch_size: 8\nmax_completion_length: 2\nnum_train_epochs: 2\nsave_strategy: 'no'\n"
        "gradient_checkpointing: false\nbeta: 0.0\ncurriculum: words\n"
    )
    grpo.main(["--config", str(config)])
    steps = {}
    for line in jsonl.read(tmp_path / "out" / "completions.jsonl"):
        steps.setdefault(line["step"], set()).add(words[line["row_id"]])
    assert list(steps.values()) == [{1}, {2}, {3}] * 2


def test_shuffling_a_curriculum_is_one_line(tiny_qwen, tmp_path):
    words = ["--model", str(tiny_qwen), "--data", "d", "--output_dir", str(tmp_path / "out"), "--curriculum", "words"]
    with pytest.raises(SystemExit) as left:
        grpo.main([*words, "--shuffle_dataset", "true"])
    assert left.value.code == 2
