"""Settings are read strictly: what is unknown, ill-typed or without effect is told in one line."""

from pathlib import Path

import pytest
import yaml

from vlm_grpo.config import Parsed, parse, setting_names
from vlm_grpo.errors import UserError
from vlm_grpo.methods.arguments import RewardArguments, SFTArguments, SFTTargetArguments, StudyArguments
from vlm_grpo.methods.settings import GRPO_COMMON, GRPO_NO_EFFECT, GRPO_TYPES, SFT_NO_EFFECT, check_grpo
from vlm_grpo.yaml_layers import read_layers

CONFIGS = Path(__file__).parents[1] / "configs"
FAMILIES = ("qwen_grpo", "smolvlm_grpo", "internvl_grpo")
GROUNDED = ("driving", "aokvqa")
"""GRPO starts there from what SFT made, on rows that it did not see; the study's LoRA is smaller."""
ABOUT_THINKING = {"prompt", "rewards", "reward_weights", "answers", "output_dir"}


def parse_grpo(*words: str) -> Parsed:
    return parse(GRPO_TYPES, words, description="GRPO", no_effect=GRPO_NO_EFFECT)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "grpo.yaml"
    path.write_text("model: embedded:qwen2_5_vl\ndata: ${SOME_DATA}/vsr\nlearning_rate: 1e-5\nnum_rows: 7\n")
    return path


@pytest.fixture(autouse=True)
def data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_DATA", "/somewhere")


def test_file_then_command_line(config, tmp_path):
    parsed = parse_grpo("--config", str(config), "--num_rows", "9", "--output-dir", str(tmp_path), "--dry-run")
    study, rewards, *_, training = parsed.arguments
    assert (study.data, study.num_rows, training.learning_rate) == ("/somewhere/vsr", 9, 1e-5)
    assert rewards.rewards == ["accuracy", "format"]
    assert parsed.dry_run
    assert parsed.given == {"model", "data", "learning_rate", "num_rows", "output_dir"}


def test_an_empty_list_that_is_the_default_may_be_written_and_another_may_not(config):
    written = config.read_text()
    config.write_text(f"{written}constraints: []\n")
    assert parse_grpo("--config", str(config), "--output_dir", "out").arguments[2].constraints == []
    config.write_text(f"{written}rewards: []\n")
    with pytest.raises(UserError, match="argument --rewards: expected at least one argument"):
        parse_grpo("--config", str(config), "--output_dir", "out")


def test_a_config_may_extend_others_and_each_setting_has_its_place(config, tmp_path):
    top = tmp_path / "top.yaml"
    top.write_text("extends: grpo.yaml\nlearning_rate: 2e-5\n")
    parsed = parse_grpo("--config", str(top), "--num_rows", "9", "--output-dir", str(tmp_path))
    study, *_, training = parsed.arguments
    assert (study.data, study.num_rows, training.learning_rate) == ("/somewhere/vsr", 9, 2e-5)
    assert parsed.sources == {
        "model": str(config),
        "data": str(config),
        "learning_rate": str(top),
        "num_rows": "the command line",
        "output_dir": "the command line",
    }


@pytest.mark.parametrize("line", ["betta: 0.1", "beta: many", "split: ${NOT_SET_ANYWHERE}"])
def test_a_mistake_is_told_with_the_file_that_it_stands_in(config, tmp_path, line):
    config.write_text(f"{config.read_text()}{line}\n")
    top = tmp_path / "top.yaml"
    top.write_text("extends: grpo.yaml\nlearning_rate: 2e-5\n")
    with pytest.raises(UserError, match=rf"^config {config}: "):
        parse_grpo("--config", str(top))


def test_help_is_short_and_help_all_is_whole(capsys):
    shown = {}
    for flag in ("--help", "--help-all"):
        with pytest.raises(SystemExit) as left:
            parse(
                GRPO_TYPES,
                [flag],
                description="GRPO",
                no_effect=GRPO_NO_EFFECT,
                common=GRPO_COMMON | setting_names(StudyArguments, RewardArguments),
            )
        assert left.value.code == 0
        shown[flag] = capsys.readouterr().out
    assert all(name in shown["--help"] for name in ("--model", "--rewards", "--beta", "--learning_rate", "--help-all"))
    assert "--adam_beta1" not in shown["--help"]
    assert "--adam_beta1" in shown["--help-all"]
    assert "--bf16 " not in shown["--help-all"], "settings without effect are not offered"
    assert 3 * len(shown["--help"]) < len(shown["--help-all"])


@pytest.mark.parametrize(
    "line,message",
    [
        ("betta: 0.1", "unknown key 'betta'; did you mean 'beta'"),
        ("max_prompt_length: 1024", "unknown key 'max_prompt_length'"),
        ("beta: many", r"grpo\.yaml: argument --beta.*: invalid float value: 'many'"),
        ("num_generations: [4, 5]", "num_generations|unrecognized|unknown"),
        ("gradient_checkpointing: perhaps", "perhaps"),
        ("bf16: true", "'bf16' has no effect"),
        ("resume_from_checkpoint: x", "'resume_from_checkpoint' has no effect"),
        ("split: ${NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE"),
        ("answers: loose", "answers"),
        ("weight_decay: -1e-5", "'weight_decay': -1e-05 is out of range"),
        ("[1, 2]", "not YAML"),
    ],
)
def test_a_bad_line_is_told(config, line, message):
    config.write_text(config.read_text() + line + "\n")
    with pytest.raises(UserError, match=message):
        parse_grpo("--config", str(config))


@pytest.mark.parametrize(
    "words,message",
    [
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["--config", "a.yaml", "--config=b.yaml"], "--config is given twice"),
        (["--model", "x", "--data", "y", "--output_dir", "o", "--learning_rate", "-1e-5"], "-1e-05 is out of range"),
        (["--modle", "x", "--data", "y"], "model"),
        (["--model", "x", "--data", "y", "--colour", "red"], "unknown setting '--colour'"),
        (["--model", "x"], "--data"),
    ],
)
def test_bad_words_are_told(words, message):
    with pytest.raises(UserError, match=message):
        parse_grpo(*words)


@pytest.mark.parametrize(
    "words,message",
    [
        (["--reward_weights", "1"], "1 numbers for 2 rewards"),
        (["--answers", "bare"], "without tags"),
        (["--vllm_mode", "colocate"], "'vllm_mode' has no effect without use_vllm"),
        (["--ref_model_sync_steps", "4"], "'ref_model_sync_steps' has no effect without sync_ref_model"),
        (["--sync_ref_model", "true", "--beta", "0"], "sync_ref_model has no effect with beta: 0"),
        (["--kl_alarm", "stop", "--beta", "0"], "kl_alarm: stop has no effect with beta: 0"),
    ],
)
def test_settings_that_contradict_each_other(config, tmp_path, words, message):
    parsed = parse_grpo("--config", str(config), "--output_dir", str(tmp_path), *words)
    study, rewards, watch, _, training = parsed.arguments
    with pytest.raises(UserError, match=message):
        check_grpo(training, rewards, watch, parsed.given, prompt=study.prompt)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*/*_grpo.yaml")), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_shipped_grpo_configs_hold_the_studys_choices(path, monkeypatch, tmp_path):
    monkeypatch.setenv("DATA_PATH", str(tmp_path))
    monkeypatch.setenv("OUT_PATH", str(tmp_path))
    parsed = parse_grpo("--config", str(path))
    study, rewards, watch, fast, training = parsed.arguments
    check_grpo(training, rewards, watch, parsed.given, prompt=study.prompt)
    assert (watch.advantages, watch.kl_alarm) == ("plain", "tell")
    is_vlm_r1 = parsed.sources.get("lora_r", "").endswith("vlm_r1.yaml")
    of_epfl = (8, 16) if path.parent.name in GROUNDED else (16, 32)
    lora = (None, None) if study.full_finetuning else (64, 128) if is_vlm_r1 else of_epfl
    assert (study.lora_r, study.lora_alpha) == lora
    assert (fast.fast, training.gradient_checkpointing) == ("auto", False), "the fast path is the default"
    assert (training.loss_type, training.epsilon, training.num_iterations) == ("grpo", 0.2, 1)
    if path.parent.name == "vsr":
        assert (training.beta, training.num_generations, training.learning_rate) == (0.04, 4, 1e-5)
        assert (study.num_rows, study.row_seed, training.num_train_epochs) == (1000, 42, 2)
        assert (study.lora_dropout, training.save_steps, training.save_total_limit) == (0.05, 0.05, 3)


def test_every_task_that_reasons_has_an_arm_that_may_not():
    """It differs from the arm beside it in what is asked and what is paid for, and in nothing else."""
    thinking = [path for path in sorted(CONFIGS.glob("*/*_grpo.yaml")) if path.stem in FAMILIES]
    assert len({path.parent for path in thinking}) >= 10
    for path in thinking:
        without = path.with_name(path.name.replace("_grpo", "_no_think_grpo"))
        own, shared = read_layers(without).values, read_layers(path).values
        changed = {key for key in own | shared if own.get(key) != shared.get(key)}
        assert {"prompt", "rewards", "output_dir"} <= changed <= ABOUT_THINKING, without
        assert own["rewards"][0] == shared["rewards"][0] or path.parent.name == "cryptogram", without
        assert not {"format", "line_format", "chars_format", "mask_format"} & {*own["rewards"]}


@pytest.mark.parametrize("folder, others", [("vsr", ["smolvlm", "internvl"]), ("embedded", ["smolvlm"])])
def test_the_families_share_the_grpo_settings_that_are_not_their_own(folder, others, monkeypatch, tmp_path):
    monkeypatch.setenv("DATA_PATH", str(tmp_path))
    monkeypatch.setenv("OUT_PATH", str(tmp_path))
    own = {"model", "output_dir", "answers", "max_completion_length", "rollout_cache", "learning_rate", "run_name"}
    own |= {"min_pixels", "max_pixels", "image_splitting", "max_patches", "logging_dir"}
    families = []
    for family in ("qwen", *others):
        parsed = parse_grpo("--config", str(CONFIGS / folder / f"{family}_grpo.yaml"))
        settings = {name: value for part in parsed.arguments for name, value in vars(part).items()}
        families.append({name: str(value) for name, value in settings.items() if name not in own})
    assert all(family == families[0] for family in families)
    shared = CONFIGS / folder / "grpo.yaml"
    assert {"beta", "num_generations", "max_grad_norm", "seed"} <= yaml.safe_load(shared.read_text()).keys()


OWN_ROWS = ("rel3d", "spatialsense")
"""Where the study trained SFT on more rows than GRPO."""
SFT_CONFIGS = sorted(path for path in CONFIGS.glob("*/*_sft.yaml") if "evaluate" not in path.name)


@pytest.mark.parametrize("path", SFT_CONFIGS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_shipped_sft_configs_share_rows_and_lora_with_grpo(path, monkeypatch, tmp_path):
    monkeypatch.setenv("DATA_PATH", str(tmp_path))
    monkeypatch.setenv("OUT_PATH", str(tmp_path))
    types = (StudyArguments, SFTTargetArguments, SFTArguments)
    sft, _, _ = parse(types, ["--config", str(path)], description="SFT", no_effect=SFT_NO_EFFECT).arguments
    grpo, *_ = parse_grpo("--config", str(path).replace("_sft", "_grpo")).arguments
    shared = ["data", "row_seed", "lora_r", "lora_alpha", "lora_dropout"]
    if path.parent.name not in GROUNDED:
        shared += ["model", "split"]
    if path.parent.name in OWN_ROWS:
        assert (sft.num_rows, grpo.num_rows) == (4000, 1000)
    else:
        shared.append("num_rows")
    assert {name: getattr(sft, name) for name in shared} == {name: getattr(grpo, name) for name in shared}
    assert sft.image_options == grpo.image_options
