"""VLM-R1's settings: one objective in every config that follows it, whole groups a step, DeepSpeed files that load."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

from vlm_grpo.yaml_layers import read_layers

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
SHARED = CONFIGS / "jsonl" / "vlm_r1.yaml"
FOLLOW = sorted(
    str(path.relative_to(CONFIGS))
    for path in CONFIGS.rglob("*.yaml")
    if "vlm_r1.yaml" in str(yaml.safe_load(path.read_text()).get("extends"))
)
OBJECTIVE = {
    "loss_type": "grpo",
    "beta": 0.04,
    "use_bias_correction_kl": False,
    "scale_rewards": "group",
    "top_k": 50,
    "top_p": 1.0,
    "temperature": 1.0,
    "num_iterations": 1,
    "epsilon": 0.2,
    "num_generations": 8,
    "max_completion_length": 2048,
}
"""Of VLM-R1's trainer and scripts, in TRL's terms (TRL's own defaults differ)."""


def test_its_tasks_follow_it():
    assert {"gui/qwen_grpo.yaml", "rec/qwen_grpo.yaml", "masks/qwen_grpo.yaml", "jsonl/vlm_r1_full.yaml"} <= {*FOLLOW}


@pytest.mark.parametrize("name", ["jsonl/vlm_r1.yaml", *FOLLOW])
def test_the_objective_is_vlm_r1s_and_a_step_on_one_gpu_has_whole_groups(name):
    read = read_layers(CONFIGS / name).values
    own = {key: read[key] for key in ("num_generations", "max_completion_length", "beta") if name in FOLLOW}
    assert {key: read[key] for key in OBJECTIVE} == OBJECTIVE | own
    step = read["per_device_train_batch_size"] * read["gradient_accumulation_steps"]
    assert step % read["num_generations"] == 0
    assert read["num_generations"] > 2, "of two, advantages are signs"
    is_full = read.get("full_finetuning") is not None
    lora, rate = ((None,) * 3, 1e-6) if is_full else ((64, 128, 0.05), 1e-5)
    assert (read["lora_r"], read["lora_alpha"], read["lora_dropout"]) == lora
    assert float(read["learning_rate"]) == rate


def test_the_screenshots_have_the_steps_of_run_grpo_gui():
    read = read_layers(CONFIGS / "gui/qwen_grpo.yaml").values
    assert (read["max_steps"], read["save_steps"], read["num_generations"]) == (1200, 400, 8)
    completions = read["per_device_train_batch_size"] * read["gradient_accumulation_steps"]
    assert completions == 2 * 8 * 2, "2 on each of 8 GPUs, accumulated twice"


def test_the_batch_scripts_take_the_script_of_any_task():
    for batch in ("train", "grpo", "grpo_multinode"):
        assert "/slurm/common.sh" in (ROOT / f"slurm/{batch}.sbatch").read_text().splitlines()[-1]
    done = subprocess.run(
        ["bash", "slurm/train.sbatch", "--dry-run", "--learning_rate", "3e-6"],
        cwd=ROOT,
        env={**os.environ, "VLM_GRPO_SCRIPT": "scripts/run_grpo_gui.sh"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "max_steps: 1200" in done.stdout
    assert "learning_rate: 3.0e-06" in done.stdout


@pytest.mark.parametrize("name", ["zero2", "zero3", "zero3_offload"])
def test_deepspeed_files_load_and_shard_what_their_names_say(name):
    launcher = load_config_from_file(str(CONFIGS / f"accelerate/{name}.yaml"))
    file = ROOT / launcher.deepspeed_config["deepspeed_config_file"]
    assert file.name == f"{name}.json"
    asked = json.loads(file.read_text())["zero_optimization"]
    zero = DeepSpeedZeroConfig(**{key: value for key, value in asked.items() if value != "auto"})
    assert zero.stage == int(name[4])
    assert launcher.deepspeed_config["zero3_init_flag"] == (zero.stage == 3)
    assert zero.gather_16bit_weights_on_model_save == (zero.stage == 3), "else final/ would lack its weights"
    offloaded = [zero.offload_optimizer, zero.offload_param]
    assert [part is not None and part.device == "cpu" for part in offloaded] == [name == "zero3_offload"] * 2
