"""Settings that TRL or transformers would refuse at some later step, or never: one line, before anything is loaded."""

from pathlib import Path

import pytest

from vlm_grpo.adapters.attention import PACKAGES, check_attention
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import __main__ as evaluation
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.merge import command as merge
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft

TRAINING = {"model": "org/absent", "data": "absent", "output_dir": "absent/out"}
GRPO = TRAINING | {"per_device_train_batch_size": "8", "num_generations": "2"}
COMMANDS = {
    "grpo": (grpo.main, GRPO),
    "sft": (sft.main, TRAINING),
    "evaluation": (evaluation.main, {"model": "org/absent", "data": "absent", "out": "absent/out"}),
    "merge": (merge.main, {"adapter": "absent", "out": "absent/out"}),
}


def dry_run(folder: Path, command: str, line: str, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code and the last line told of a dry run of `command` with `line` in its config."""
    main, settings = COMMANDS[command]
    said = {part.split(":")[0] for part in line.splitlines()}
    lines = [line, *(f"{key}: {value}" for key, value in settings.items() if key not in said)]
    path = folder / "config.yaml"
    path.write_text("\n".join(lines) + "\n")
    capsys.readouterr()
    try:
        main(["--config", str(path), "--dry-run", *words])
    except SystemExit as left:
        errors = capsys.readouterr().err
        assert "Traceback" not in errors
        return int(left.code or 0), errors.strip().splitlines()[-1]
    return 0, capsys.readouterr().out


OUT_OF_RANGE = [
    f"{name}: {value}"
    for name, values in {
        "seed": "-1 4294967296",
        "row_seed": "-1 99999999999",
        "num_rows": "0 -3",
        "lora_r": "0 -1",
        "lora_alpha": "0 -32",
        "lora_dropout": "-0.1 1.0 1.5 .nan",
        "min_pixels": "-5 0",
        "max_pixels": "0",
        "longest_edge": "-1",
        "fast_vision_mb": "-1",
        "beta": "-0.1 .nan .inf",
        "epsilon": "-0.2",
        "temperature": "0 -1",
        "top_p": "0 1.1",
        "top_k": "-1",
        "min_p": "2",
        "top_entropy_quantile": "0",
        "num_generations": "0 1 -2",
        "num_iterations": "0",
        "steps_per_generation": "0",
        "generation_batch_size": "0",
        "max_completion_length": "0",
        "per_device_train_batch_size": "0 -8",
        "gradient_accumulation_steps": "0",
        "num_train_epochs": "0 -1 .inf",
        "save_steps": "0 -1",
        "save_total_limit": "0 -1",
        "logging_steps": "0",
        "learning_rate": "-1 .inf",
        "warmup_steps": "-1",
        "weight_decay": "-0.1",
        "max_grad_norm": "-1",
        "adam_beta1": "1.0",
        "adam_epsilon": "0",
        "reward_weights": "[1.0,.nan]",
        "vllm_gpu_memory_utilization": "1.5",
        "vllm_server_port": "0 65536",
    }.items()
    for value in values.split()
]
REFUSED = {
    "grpo": {
        "key 'seed' is given twice": ["seed: 1\nseed: 2"],
        "invalid int value": ["seed: 1:40", "seed: no", "seed: true", "seed: 1.5", "num_rows: 1:40", "max_steps: yes"],
        "has no value; give one": [
            *("seed:", "model:", "data:", "split: ~", "row_seed: null", "learning_rate:", "beta:", "scale_rewards:"),
            *("output_dir:", "num_generations:", "max_completion_length:", "report_to:", "gradient_checkpointing:"),
            *("rewards:", "fast:", "prompt:"),
        ],
        "is empty; give a value": ['model: ""', 'split: " "', "output_dir: ''", 'run_name: ""'],
        "invalid choice: 'no'": ["budget: no", "answers: no", "optim: no", "lr_scheduler_type: no"],
        "unknown scale_rewards 'no'; known: group": ["scale_rewards: no"],
        "unknown scale_rewards 'off'": ["scale_rewards: off"],
        "say none, or some of": ["report_to: no", "report_to: off", "report_to: false", "report_to: wand"],
        "takes one value, and no list": ["report_to: [none, wandb]", "seed: [1, 2]"],
        "unknown prompt 'no'": ["prompt: no"],
        "unknown prompt 'reasn'; did you mean 'reason'?": ["prompt: reasn"],
        "unknown rollout_cache": ["rollout_cache: no", "rollout_cache: perhaps"],
        "unknown fast 'no'": ["fast: no"],
        "unknown dtype": ["dtype: no", "dtype: float8"],
        "unknown attention": ["attention: no", "attention: sdp", "attention: kernels-community/flash-attn"],
        "unknown loss_type": ["loss_type: no", "loss_type: gspo", "loss_type: nll"],
        "unknown importance_sampling_level": ["importance_sampling_level: word"],
        "unknown vllm_mode": ["vllm_mode: no"],
        "unknown reward 'no'": ["rewards: [accuracy, no]", "rewards: no"],
        "is out of range": OUT_OF_RANGE,
        "is more than max_pixels 100; swap them": ["min_pixels: 5000\nmax_pixels: 100"],
        "trains nothing": ["max_steps: 0", "max_steps: -5"],
        "must be divisible by num_generations": ["num_generations: 3"],
        "must be divisible by the global batch size": ["generation_batch_size: 7"],
        "can not be both configured": ["generation_batch_size: 8\nsteps_per_generation: 1"],
        "sync_ref_model has no effect with beta: 0": ["sync_ref_model: true\nbeta: 0"],
        "has no effect without sync_ref_model": ["ref_model_sync_steps: 4", "ref_model_mixup_alpha: 0.5"],
        "a run stays on this machine": ["push_to_hub: true", "hub_model_id: me/mine", "hub_token: x"],
        "has no effect": ["data_seed: 1", "router_aux_loss_coef: 0.1", "auto_find_batch_size: true"],
        "cannot be used: You need to": [
            "optim: adamw_bnb_8bit",
            "optim: galore_adamw",
            "optim: lomo",
            "optim: stable_adamw",
        ],
        "optim adamw_torch_fused cannot be used": ["optim_args: nonsense"],
        "lr_scheduler_type cosine_with_min_lr cannot be used": ["lr_scheduler_type: cosine_with_min_lr"],
        "lr_scheduler_type warmup_stable_decay cannot be used": ["lr_scheduler_type: warmup_stable_decay"],
        "lr_scheduler_type linear cannot be used": ["lr_scheduler_kwargs: {foo: 1}"],
        "requires an eval strategy": ["lr_scheduler_type: reduce_lr_on_plateau"],
        "unexpected keyword argument 'nonsense'": ["accelerator_config: {nonsense: 1}"],
        "could not go on": ["save_only_model: true", "ignore_data_skip: true"],
        "training does not evaluate": ["save_strategy: best", "eval_strategy: steps"],
        "leaves the order of rows to chance": ["dataloader_in_order: false"],
        "nowhere.json": ["deepspeed: nowhere.json"],
    },
    "sft": {
        "unknown loss_type 'chunked_nll'": ["loss_type: chunked_nll"],
        "invalid choice: 'grpo'": ["loss_type: grpo"],
        "is out of range": ["num_train_epochs: 0", "label_smoothing_factor: 1.5", "lora_dropout: 1", "seed: -1"],
        "trains nothing": ["max_steps: 0"],
        "could not go on": ["save_only_model: true"],
        "has no effect": ["eos_token: x", "pad_token: x", "chat_template_path: x", "auto_find_batch_size: true"],
        "has no value; give one": ["target:", "row_seed:", "report_to:"],
        "cannot be used: You need to": ["optim: paged_adamw_8bit"],
    },
    "evaluation": {
        "key 'seed' is given twice": ["seed: 1\nseed: 2"],
        "invalid int value": ["seed: 1:40", "limit: no", "max_new_tokens: 1:40"],
        "has no value; give one": ["seed:", "model:", "data:", "split:", "prompt:", "temperature:", "batch_size:"],
        "is out of range": ["seed: -1", "temperature: .nan", "temperature: .inf", "min_pixels: 0", "max_pixels: -1"],
        "swap them": ["min_pixels: 9\nmax_pixels: 4"],
        "unknown prompt 'no'": ["prompt: no"],
        "unknown use_cache": ["use_cache: no", "use_cache: off"],
        "unknown dtype": ["dtype: no"],
        "unknown attention": ["attention: nonsense"],
        "is empty; give a value": ['split: ""'],
    },
    "merge": {
        "key 'dtype' is given twice": ["dtype: auto\ndtype: auto"],
        "has no value; give one": ["adapter:", "out:", "dtype:", "device:"],
        "unknown dtype": ["dtype: no"],
        "unknown device": ["device: off"],
        "unknown key 'deviec'; did you mean 'device'": ["deviec: cpu"],
    },
}


@pytest.mark.parametrize(
    "command, wording, line",
    [
        pytest.param(command, wording, line, id=f"{command}-{line}")
        for command, messages in REFUSED.items()
        for wording, lines in messages.items()
        for line in lines
    ],
)
def test_an_impossible_setting_is_one_line(command, wording, line, tmp_path, capsys):
    code, message = dry_run(tmp_path, command, line, capsys)
    assert code == 2
    assert message.startswith("error: ")
    assert wording in message


@pytest.mark.parametrize(
    "command, line, resolved",
    [
        ("grpo", "seed: 010", "seed: 10"),
        ("grpo", "num_rows: 0100", "num_rows: 100"),
        ("grpo", "scale_rewards: false", "scale_rewards: none"),
        ("grpo", "scale_rewards: true", "scale_rewards: group"),
        ("grpo", "num_rows:", "num_rows: null"),
        ("grpo", "budget: ~", "budget: null"),
        ("grpo", "min_pixels:", "min_pixels: null"),
        ("grpo", "fast: off", "fast: 'off'"),
        ("grpo", "rollout_cache: true", "rollout_cache: 'true'"),
        ("grpo", "save_strategy: no", "save_strategy: 'no'"),
        ("grpo", "gradient_checkpointing: no", "gradient_checkpointing: false"),
        ("grpo", "learning_rate: 1e-5", "learning_rate: 1.0e-05"),
        ("grpo", "optim: sgd", "optim: sgd"),
        ("grpo", "generation_kwargs: {top_k: 010}", "generation_kwargs: {top_k: 10}"),
        ("grpo", "run_name: 010", "run_name: '010'"),
        ("grpo", "run_name: 1.10", "run_name: '1.10'"),
        ("grpo", "run_name: no", "run_name: 'no'"),
        ("sft", "run_name: 2026-01-01", "run_name: '2026-01-01'"),
        ("sft", "warmup_steps: 0.1", "warmup_steps: 0.1"),
        ("evaluation", "seed: 010", "seed: 10"),
        ("evaluation", "limit: 010", "limit: 10"),
        ("evaluation", "batch_size: 08", "batch_size: '08'"),
        ("evaluation", "use_cache: true", "use_cache: 'true'"),
        ("evaluation", "temperature: 0.0", "temperature: 0.0"),
        ("merge", "base:", "base: null"),
    ],
)
def test_what_is_possible_is_what_people_mean(command, line, resolved, tmp_path, capsys):
    code, shown = dry_run(tmp_path, command, line, capsys)
    assert code == 0, shown
    assert any(line_shown.split("  ")[0].strip() == resolved for line_shown in shown.splitlines()), shown


@pytest.mark.parametrize("command", ["grpo", "evaluation", "merge"])
@pytest.mark.parametrize(
    "words, hint",
    [
        (["--dtyp", "auto"], "unknown setting '--dtyp' on the command line; did you mean '--dtype'?"),
        (["--dtyp=auto"], "unknown setting '--dtyp' on the command line; did you mean '--dtype'?"),
        (["-dtype", "auto"], "unknown setting '-dtype' on the command line; did you mean '--dtype'?"),
        (["--Dtype", "auto"], "did you mean '--dtype'?"),
        (["--dry-rn"], "did you mean '--dry-run'?"),
        (["--colour", "red"], "unknown setting '--colour' on the command line; see --help"),
    ],
)
def test_a_near_miss_on_the_command_line_is_hinted_at(command, words, hint, tmp_path, capsys):
    code, message = dry_run(tmp_path, command, "dtype: auto", capsys, *words)
    assert code == 2
    assert hint in message


def test_a_near_miss_is_told_before_what_is_missing(capsys):
    with pytest.raises(SystemExit) as left:
        grpo.main(["--modle", "x", "--data", "y"])
    assert left.value.code == 2
    assert "unknown setting '--modle' on the command line; did you mean '--model'?" in capsys.readouterr().err


def test_a_mistake_is_told_with_the_file_of_its_setting(tmp_path, capsys):
    (tmp_path / "below.yaml").write_text("beta: -1\nprompt: shout\n")
    _, message = dry_run(tmp_path, "grpo", "extends: below.yaml\nprompt: reason", capsys)
    assert message.startswith(f"error: config {tmp_path}/below.yaml: setting 'beta': -1.0 is out of range")


def test_a_run_without_checkpoints_is_told_what_it_loses(tmp_path, capsys):
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(f"{key}: {value}" for key, value in (GRPO | {"save_strategy": "no"}).items()))
    grpo.main(["--config", str(path), "--dry-run"])
    assert "a run that is killed begins anew" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name, package in PACKAGES.items() if package])
def test_an_attention_that_this_machine_lacks_is_one_line(name, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match=f"attention {name} needs a GPU"):
        check_attention(name)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(UserError, match=f"attention {name} needs the package {PACKAGES[name]}"):
        check_attention(name)


def test_attentions_of_torch_need_nothing():
    for name in ("sdpa", "eager"):
        check_attention(name)
        EvaluationArguments(model="m", data="d", out="o", attention=name)
