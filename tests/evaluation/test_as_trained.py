"""A trained model is asked as its run asked it, where the user says nothing; where the user does, it is told."""

import json
import shutil
from pathlib import Path

import pytest

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.adapters import asked
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.__main__ import main
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.merge import command as merge
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.store import manifest

AS, OTHERWISE = "asked as in training", "asked otherwise than in training"
SMALL = 3136
"""Pixels of the smallest picture that the tiny Qwen is trained on here; its own limit is higher."""
TRAINING = """
model: {model}
data: {data}
output_dir: {out}
per_device_train_batch_size: 4
gradient_checkpointing: false
learning_rate: 1e-2
max_steps: 1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(
        tmp_path_factory.mktemp("asked") / "data", train=tiny_rows(8, split="train"), validation=tiny_rows(3)
    )


def train(method, model: Path, data: Path, out: Path, *words: str) -> Path:
    """The adapter of a run of one step."""
    config = out.with_suffix(".yaml")
    more = "num_generations: 4\nmax_completion_length: 3\n" if method is grpo else ""
    config.write_text(TRAINING.format(model=model, data=data, out=out) + more)
    method.main(["--config", str(config), *words])
    return out / "final"


@pytest.fixture(scope="module")
def grpo_adapter(tiny_qwen, data, tmp_path_factory):
    words = ["--max_pixels", str(SMALL), "--answers", "relaxed", "--prompt", "answer"]
    return train(grpo, tiny_qwen, data, tmp_path_factory.mktemp("grpo") / "run", *words)


@pytest.fixture(scope="module")
def sft_adapter(tiny_smolvlm, data, tmp_path_factory):
    words = ["--prompt", "yes_no", "--target", "yes_no", "--longest_edge", "56"]
    return train(sft, tiny_smolvlm, data, tmp_path_factory.mktemp("sft") / "run", *words)


def ask(data: Path, out: Path, *words: str) -> dict:
    """The resolved settings that an evaluation of these words was made with."""
    main(["--data", str(data), "--out", str(out), "--max_new_tokens", "2", *words])
    return manifest.read(out)["config"]


def said_of_asking(capsys) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith((AS, OTHERWISE))]


def test_grpo_s_adapter_is_asked_as_in_training(grpo_adapter, tiny_qwen, data, tmp_path, capsys):
    config = ask(data, tmp_path / "out", "--model", str(tiny_qwen), "--adapter", str(grpo_adapter))
    assert (config["prompt"], config["answers"], config["max_pixels"]) == ("answer", "relaxed", SMALL)
    lines = said_of_asking(capsys)
    assert len(lines) == 1
    assert lines[0].startswith(f"{AS} ({grpo_adapter / asked.FILE}): ")
    same = ["--prompt", "answer", "--answers", "relaxed", "--max_pixels", str(SMALL)]
    explicit = ask(data, tmp_path / "same", "--model", str(tiny_qwen), "--adapter", str(grpo_adapter), *same)
    assert said_of_asking(capsys) == [], "what the user says alike needs no words"
    assert explicit | {"out": config["out"]} == config
    assert (tmp_path / "same" / generations.FILE).read_bytes() == (tmp_path / "out" / generations.FILE).read_bytes()


def test_sft_s_adapter_is_asked_as_it_was_taught(sft_adapter, tiny_smolvlm, data, tmp_path):
    config = ask(data, tmp_path / "out", "--model", str(tiny_smolvlm), "--adapter", str(sft_adapter))
    assert (config["prompt"], config["answers"], config["longest_edge"]) == ("yes_no", "bare_relaxed", 56)


@pytest.mark.parametrize(
    "words, differs",
    [
        (["--prompt", "reason"], "prompt reason instead of answer"),
        (["--answers", "strict"], "answers strict instead of relaxed"),
        (["--dtype", "bfloat16"], "dtype bfloat16 instead of float32"),
        (["--max_pixels", "6272"], "size {'longest_edge': 6272, 'shortest_edge': 784} instead of"),
        (["--min_pixels", "1568"], "size {'longest_edge': 3136, 'shortest_edge': 1568} instead of"),
    ],
)
def test_what_the_user_says_counts_and_is_told(words, differs, grpo_adapter, tiny_qwen, data, tmp_path, capsys):
    config = ask(data, tmp_path / "out", "--model", str(tiny_qwen), "--adapter", str(grpo_adapter), *words)
    assert str(config[words[0].removeprefix("--")]) == words[1]
    lines = [line for line in said_of_asking(capsys) if line.startswith(OTHERWISE)]
    assert len(lines) == 1
    assert differs in lines[0]


def test_a_config_s_value_is_the_user_s_and_a_null_is_not(grpo_adapter, tiny_qwen, data, tmp_path):
    config = tmp_path / "evaluate.yaml"
    config.write_text(f"model: {tiny_qwen}\nadapter: {grpo_adapter}\nprompt: reason\nmax_pixels:\n")
    resolved = ask(data, tmp_path / "out", "--config", str(config))
    assert (resolved["prompt"], resolved["max_pixels"], resolved["answers"]) == ("reason", SMALL, "relaxed")


def test_a_call_without_a_command_line_keeps_what_is_not_the_default(grpo_adapter, tiny_qwen, data, tmp_path):
    out = tmp_path / "out"
    evaluate(
        EvaluationArguments(
            model=str(tiny_qwen),
            adapter=str(grpo_adapter),
            data=str(data),
            out=str(out),
            max_new_tokens=2,
            prompt="yes_no",
        )
    )
    config = manifest.read(out)["config"]
    assert (config["prompt"], config["answers"]) == ("yes_no", "relaxed")


def test_a_merged_checkpoint_is_asked_as_its_adapter_was_trained(grpo_adapter, data, tmp_path, capsys):
    merge.main(["--adapter", str(grpo_adapter), "--out", str(tmp_path / "merged"), "--dtype", "float32"])
    assert asked.read(tmp_path / "merged") == asked.read(grpo_adapter)
    capsys.readouterr()
    config = ask(data, tmp_path / "out", "--model", str(tmp_path / "merged"))
    assert (config["prompt"], config["answers"], config["max_pixels"]) == ("answer", "relaxed", SMALL)
    assert str(tmp_path / "merged" / asked.FILE) in said_of_asking(capsys)[0]


@pytest.mark.parametrize("pixels, lines", [(str(SMALL), 0), ("6272", 1)])
def test_training_on_says_where_it_shows_other_pictures(pixels, lines, grpo_adapter, data, tmp_path, capsys):
    merge.main(["--adapter", str(grpo_adapter), "--out", str(tmp_path / "merged"), "--dtype", "float32"])
    capsys.readouterr()
    train(grpo, tmp_path / "merged", data, tmp_path / "run", "--max_pixels", pixels)
    assert capsys.readouterr().err.count("the base was trained on other pictures") == lines


def test_a_merge_does_not_hand_on_how_its_base_was_asked(grpo_adapter, tmp_path):
    """The base is itself a merged checkpoint; its next adapter is of an earlier version that noted nothing."""
    from tiny_lora import save_tiny_lora

    base = tmp_path / "base"
    merge.main(["--adapter", str(grpo_adapter), "--out", str(base), "--dtype", "float32"])
    adapter = save_tiny_lora(tmp_path / "adapter", base)
    merge.main(["--adapter", str(adapter), "--out", str(tmp_path / "merged"), "--dtype", "float32"])
    assert asked.read(tmp_path / "merged") is None


@pytest.mark.parametrize(
    "file, change, name",
    [
        ("preprocessor_config.json", {"image_mean": [0.1, 0.2, 0.3]}, "image_mean"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 1568, "longest_edge": 6272}}, "size"),
        ("chat_template.jinja", "\n", "chat_template"),
    ],
)
def test_a_base_whose_processor_changed_is_asked_as_before(
    file, change, name, grpo_adapter, tiny_qwen, data, tmp_path, capsys
):
    base = Path(shutil.copytree(tiny_qwen, tmp_path / "base"))
    text = (base / file).read_text()
    (base / file).write_text(text + change if isinstance(change, str) else json.dumps(json.loads(text) | change))
    ask(data, tmp_path / "changed", "--model", str(base), "--adapter", str(grpo_adapter))
    assert name in said_of_asking(capsys)[0]
    ask(data, tmp_path / "before", "--model", str(tiny_qwen), "--adapter", str(grpo_adapter))
    changed, before = (generations.read(tmp_path / run) for run in ("changed", "before"))
    assert [(said.text, said.prompt_hash, said.prompt_tokens) for said in changed.values()] == [
        (said.text, said.prompt_hash, said.prompt_tokens) for said in before.values()
    ]


def test_a_dry_run_tells_where_a_setting_comes_from(grpo_adapter, tiny_qwen, data, tmp_path, capsys):
    words = ["--model", str(tiny_qwen), "--adapter", str(grpo_adapter), "--data", str(data), "--max_new_tokens", "2"]
    main([*words, "--out", str(tmp_path / "out"), "--dry-run"])
    shown = capsys.readouterr().out.splitlines()
    line = next(line for line in shown if line.startswith("max_pixels: "))
    assert line.startswith(f"max_pixels: {SMALL} ")
    assert line.endswith(f"# {grpo_adapter / asked.FILE}")


def test_a_model_that_was_never_trained_here_is_asked_as_ever(tiny_qwen, tiny_qwen_lora, data, tmp_path, capsys):
    ask(data, tmp_path / "base", "--model", str(tiny_qwen))
    config = ask(data, tmp_path / "lora", "--model", str(tiny_qwen), "--adapter", str(tiny_qwen_lora))
    assert (config["prompt"], config["answers"], config["max_pixels"]) == ("reason", "strict", None)
    assert said_of_asking(capsys) == []


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"prompt": ', "damaged JSON"),
        ('{"prompt": "reason"}', "field 'answers': Field required"),
    ],
)
def test_a_damaged_note_is_one_line(text, message, grpo_adapter, tiny_qwen, data, tmp_path, capsys):
    adapter = Path(shutil.copytree(grpo_adapter, tmp_path / "adapter"))
    (adapter / asked.FILE).write_text(text)
    with pytest.raises(SystemExit) as left:
        ask(data, tmp_path / "out", "--model", str(tiny_qwen), "--adapter", str(adapter))
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "family, options, name, value",
    [
        ("tiny_smolvlm", {"longest_edge": 56}, "size", {"longest_edge": 56}),
        ("tiny_internvl", {"max_patches": 6}, "max_patches", 6),
    ],
)
def test_picture_settings_are_what_json_holds_and_a_processor_takes(family, options, name, value, request):
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    settings = asked.picture_settings(checkpoint.load_processor(**options))
    assert settings[name] == value
    assert settings == json.loads(json.dumps(settings))
    assert asked.picture_settings(checkpoint.load_processor(image_settings=settings)) == settings
