"""What ends a completion and which of a checkpoint's generation settings count, in rollouts, evaluation and merge."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.adapters import generation
from vlm_grpo.adapters.checkpoint import open_checkpoint, shipped_folder
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.merge import command as merge
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.store import jsonl

END, OTHER = 2, 0
"""Ids in the tiny vocabularies: the token that closes a turn, and one that closes nothing."""


def copy_of(folder: Path, to: Path, **changes: object) -> Path:
    """A copy of the checkpoint in `folder` whose generation settings are changed; None removes one."""
    shutil.copytree(folder, to)
    path = to / generation.FILE
    settings = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in settings.items() if value is not None}))
    return to


def forget_the_end(folder: Path) -> None:
    """Let the tokenizer name another end of text than the one that closes a turn."""
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token": "<|endoftext|>"}))


ENDS = [
    pytest.param({}, id="as it is"),
    pytest.param({"eos_token_id": None}, id="none"),
    pytest.param({"eos_token_id": []}, id="an empty list"),
    pytest.param({"eos_token_id": OTHER}, id="another"),
    pytest.param({"eos_token_id": [OTHER, 5]}, id="others"),
]


@pytest.mark.parametrize("changes", ENDS)
@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm"])
@pytest.mark.parametrize("tokenizer_knows", [True, False])
def test_the_template_s_end_of_a_turn_is_always_among_the_end_tokens(family, changes, tokenizer_knows, tmp_path):
    folder = copy_of(shipped_folder(family), tmp_path / "model", **changes)
    if not tokenizer_knows:
        forget_the_end(folder)
    processor = open_checkpoint(str(folder)).load_processor()
    ids = generation.end_tokens(generation.plain_generation(folder), processor)
    named = changes.get("eos_token_id", END)
    assert END in ids
    assert set(named if isinstance(named, list) else [] if named is None else [named]) <= set(ids)
    assert len(ids) == len(set(ids))


def test_a_checkpoint_without_generation_settings_has_end_tokens(tmp_path):
    folder = Path(shutil.copytree(shipped_folder("qwen2_5_vl"), tmp_path / "model"))
    (folder / generation.FILE).unlink()
    processor = open_checkpoint(str(folder)).load_processor()
    assert generation.end_tokens(generation.plain_generation(folder), processor) == [END]
    assert generation.aside_in_words(folder) == ""


@pytest.mark.parametrize("value", ["<|im_end|>", ["2"], True, {"id": 2}, -1, [2, -1]])
def test_an_end_token_that_is_no_id_is_one_line(value, tmp_path):
    folder = copy_of(shipped_folder("qwen2_5_vl"), tmp_path / "model", eos_token_id=value)
    with pytest.raises(UserError, match=r"generation_config\.json: eos_token_id is .*, expected a token's id"):
        open_checkpoint(str(folder)).load_processor()


def test_a_template_that_closes_a_turn_with_plain_text_adds_nothing(tmp_path):
    folder = Path(shutil.copytree(shipped_folder("qwen2_5_vl"), tmp_path / "model"))
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_end|>", " over"))
    processor = open_checkpoint(str(folder)).load_processor()
    assert generation.end_tokens(generation.plain_generation(folder), processor) == [END], "the tokenizer's own"


def answers(model: Path, data: Path, out: Path) -> dict[str, tuple[str, str]]:
    evaluate(EvaluationArguments(model=str(model), data=str(data), out=str(out), max_new_tokens=40, limit=4))
    return {id: (said.text, said.finish_reason) for id, said in generations.read(out).items()}


@pytest.mark.parametrize("changes", [{"eos_token_id": []}, {"eos_token_id": OTHER}], ids=["empty", "another"])
def test_a_checkpoint_that_forgot_its_end_scores_as_before(changes, tiny_data, tmp_path, capsys):
    before = answers(shipped_folder("qwen2_5_vl"), tiny_data, tmp_path / "before")
    assert "stop" in {reason for _, reason in before.values()}
    folder = copy_of(shipped_folder("qwen2_5_vl"), tmp_path / "model", **changes)
    forget_the_end(folder)
    capsys.readouterr()
    assert answers(folder, tiny_data, tmp_path / "after") == before
    assert "<|im_end|> (2)" in capsys.readouterr().err


def test_a_merged_checkpoint_names_every_end_token(tiny_qwen, tmp_path):
    from tiny_lora import save_tiny_lora

    folder = copy_of(tiny_qwen, tmp_path / "model", eos_token_id=[], temperature=0.5, repetition_penalty=1.1)
    merge.main(["--adapter", str(save_tiny_lora(tmp_path / "lora", folder)), "--out", str(tmp_path / "merged")])
    written = json.loads((tmp_path / "merged" / generation.FILE).read_text())
    assert written["eos_token_id"] == [END]
    assert (written["temperature"], written["repetition_penalty"]) == (0.5, 1.1), "the rest is the base's"


OWN_SETTINGS = {
    "min_p": 0.9,
    "typical_p": 0.2,
    "no_repeat_ngram_size": 2,
    "min_new_tokens": 5,
    "max_time": 0.01,
    "num_beams": 2,
    "num_return_sequences": 2,
    "cache_implementation": "static",
    "stop_strings": ["a"],
    "return_dict_in_generate": True,
    "guidance_scale": 1.5,
    "repetition_penalty": 1.3,
    "forced_eos_token_id": 5,
    "suppress_tokens": [2],
    "bad_words_ids": [[7]],
    "exponential_decay_length_penalty": [1, 2.0],
    "prompt_lookup_num_tokens": 2,
    "output_scores": True,
    "watermarking_config": {"greenlist_ratio": 0.5},
}


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_a_setting_of_the_checkpoint_s_own_is_put_aside_and_told(name, tiny_qwen, tmp_path):
    folder = copy_of(tiny_qwen, tmp_path / "model", **{name: OWN_SETTINGS[name]})
    model = open_checkpoint(str(folder)).load_model(dtype=torch.float32)
    assert getattr(model.generation_config, name) is None
    assert f"{name} {OWN_SETTINGS[name]}" in generation.aside_in_words(folder)


def test_what_a_run_decides_by_itself_is_not_told(tiny_qwen, tmp_path):
    folder = copy_of(tiny_qwen, tmp_path / "model", do_sample=True, max_length=99, temperature=1.0, num_beams=1)
    assert generation.aside_in_words(folder) == ""


GRPO = """
model: {model}
data: {data}
output_dir: {out}
per_device_train_batch_size: 4
num_generations: 4
max_completion_length: 6
max_steps: 1
beta: 0.0
gradient_checkpointing: false
seed: 3
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("rollouts") / "data", train=tiny_rows(8, split="train"))


def rollouts(model: Path, data: Path, out: Path, *words: str) -> list[str]:
    config = out.with_suffix(".yaml")
    config.write_text(GRPO.format(model=model, data=data, out=out))
    grpo.main(["--config", str(config), *words])
    return [record["text"] for record in jsonl.read(out / "completions.jsonl")]


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_rollouts_sample_from_the_policy_and_from_nothing_else(family, request, data, tmp_path, capsys):
    plain = request.getfixturevalue(family)
    own = copy_of(plain, tmp_path / "own", **OWN_SETTINGS)
    expected = rollouts(plain, data, tmp_path / "plain")
    capsys.readouterr()
    assert rollouts(own, data, tmp_path / "out") == expected
    shown = capsys.readouterr().err
    assert "a completion ends at" in shown
    lines = [line for line in shown.splitlines() if line.startswith("put aside of the checkpoint's generation_config")]
    assert len(lines) == 1
    assert all(name in lines[0] for name in OWN_SETTINGS)


def test_the_user_s_own_generation_settings_count(tiny_qwen, data, tmp_path):
    greedy = rollouts(tiny_qwen, data, tmp_path / "greedy", "--generation_kwargs", '{"top_k": 1}')
    assert len(set(greedy)) == 1
    assert len(set(rollouts(tiny_qwen, data, tmp_path / "sampled"))) > 1


def test_the_user_s_end_tokens_and_suppressed_ones_join(data, tmp_path):
    model = shipped_folder("qwen2_5_vl")
    said = rollouts(model, data, tmp_path / "free", "--generation_kwargs", '{"top_k": 1}')[0]
    tokenizer = open_checkpoint(str(model)).load_processor().tokenizer
    first, second = tokenizer(said)["input_ids"][:2]
    ended = json.dumps({"top_k": 1, "eos_token_id": second})
    assert rollouts(model, data, tmp_path / "ended", "--generation_kwargs", ended)[0] == tokenizer.decode(
        [first, second]
    )
    suppressed = json.dumps({"top_k": 1, "suppress_tokens": [first]})
    other = rollouts(model, data, tmp_path / "suppressed", "--generation_kwargs", suppressed)[0]
    assert first not in tokenizer(other)["input_ids"]


@pytest.mark.parametrize(
    "given, message",
    [
        ({"tempratur": 0.5}, "unknown setting 'tempratur'; did you mean 'temperature'?"),
        ({"num_return_sequences": 2}, "num_generations says how many"),
        ({"stop_strings": ["x"]}, "give eos_token_id"),
        ({"max_new_tokens": 3}, "max_completion_length says"),
        ({"use_cache": False}, "rollout_cache says"),
        ({"temperature": 0.5}, "the setting temperature says it"),
        ({"prompt_lookup_num_tokens": 3}, "rollouts are generated in batches"),
        ({"eos_token_id": "end"}, "eos_token_id is 'end', expected a token's id"),
        ({"suppress_tokens": [-1]}, "suppress_tokens is [-1], expected a token's id"),
        ("top_k", "are no settings"),
        ({"typical_p": 5}, "setting 'typical_p': 5 is out of range"),
        ({"min_p": -1}, "setting 'min_p': -1 is out of range"),
    ],
)
def test_generation_kwargs_that_cannot_count_are_one_line(given, message, tiny_qwen, data, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        rollouts(tiny_qwen, data, tmp_path / "out", "--generation_kwargs", json.dumps(given))
    assert left.value.code == 2
    assert message in capsys.readouterr().err
