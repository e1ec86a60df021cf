"""Whole runs with the fast path and without it: the same losses, the same completions."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.rewards import registry
from vlm_grpo.store import jsonl

ROOT = Path(__file__).parents[3]
STEPS = 20
LOSS_TOLERANCE = 1e-4
RUN = """
import sys
from vlm_grpo.rewards import registry
from vlm_grpo.rewards.base import Reward
from vlm_grpo.methods.grpo import command as grpo

if "--deepspeed" in sys.argv:
    import deepspeed.ops
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # else compiled first, for minutes; gloo will do

registry.REWARDS["vowels"] = Reward(
    name="vowels",
    score=lambda completion, row, rule, view=None: float(sum(c in "aeiou" for c in completion)),
    minimum=0.0, maximum=99.0, gold=(), hacks=(),
)
grpo.main(sys.argv[1:])
"""
"""A random model never answers, so a reward for vowels gives the policy something to move along."""
CONFIG = f"""
model: {{model}}
data: {{data}}
output_dir: unused
rewards: [vowels]
num_generations: 4
per_device_train_batch_size: 4
max_completion_length: 6
max_steps: {STEPS}
learning_rate: 1e-3
beta: 0.04
loss_type: grpo
lora_dropout: 0.0
rollout_cache: "true"
gradient_checkpointing: false
logging_steps: 1
save_strategy: "no"
seed: 3
"""
SHAPES = {
    "tiny_qwen": ["--gradient_accumulation_steps", "2", "--num_iterations", "2", "--epsilon", "0.5"],
    "tiny_smolvlm": ["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "4"],
}
"""Rollouts that are used twice, and groups that are cut in two."""
FOLLOWED = ["--sync_ref_model", "true", "--ref_model_sync_steps", "2", "--advantages", "cubic"]
"""A reference that follows, and groups whose advantages are shaped although two processes share them."""
SHARDS = {"ddp": FOLLOWED, "zero2": [*FOLLOWED, "--deepspeed", str(ROOT / "configs/deepspeed/zero2.json")]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("fast") / "data", train=tiny_rows(24, split="train"))


def write(folder: Path, model: Path, data: Path) -> None:
    (folder / "run.py").write_text(RUN)
    (folder / "config.yaml").write_text(CONFIG.format(model=model, data=data))


def assert_equal_runs(folder: Path, *, steps: int = STEPS) -> None:
    """Same completions row for row, same losses to a tolerance; and something was learnt from."""
    metrics = [jsonl.read(folder / f"fast_{fast}" / "metrics.jsonl") for fast in ("off", "on")]
    texts = [
        [
            (c["step"], c["row_id"], c["text"], c["advantage"], c.get("shaped_advantage"))
            for c in jsonl.read(folder / f"fast_{fast}" / "completions.jsonl")
        ]
        for fast in ("off", "on")
    ]
    assert texts[0] == texts[1]
    assert len(metrics[0]) == len(metrics[1]) == steps
    for stock, ours in zip(*metrics, strict=True):
        for name in ("loss", "grad_norm"):
            assert ours[name] == pytest.approx(stock[name], abs=LOSS_TOLERANCE, rel=LOSS_TOLERANCE), name
    assert max(step["kl"] for step in metrics[0]) > 1e-4, "the policy moved"


def command(fast: str, *words: str) -> list[str]:
    return ["run.py", "--config", "config.yaml", "--fast", fast, "--output_dir", f"fast_{fast}", *words]


@pytest.mark.slow
@pytest.mark.parametrize("family", SHAPES)
def test_twenty_steps_are_those_of_trl(family, request, tmp_path, data, monkeypatch, caplog):
    write(tmp_path, request.getfixturevalue(family), data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "REWARDS", dict(registry.REWARDS))
    for fast in ("off", "on"):
        monkeypatch.setattr("sys.argv", command(fast, *SHAPES[family]))
        runpy.run_path("run.py")
    assert caplog.messages.count("fast: each prompt read once for log-probabilities") == 1
    assert_equal_runs(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("shards", ["ddp", pytest.param("zero2", marks=pytest.mark.nightly)])
def test_two_processes_take_the_steps_of_trl(tiny_qwen, tmp_path, data, shards):
    write(tmp_path, tiny_qwen, data)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    words = ["--gradient_accumulation_steps", "2", "--max_steps", "6", *SHARDS[shards]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    for fast in ("off", "on"):
        done = subprocess.run(
            [*launcher, *command(fast, *words)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    assert_equal_runs(tmp_path, steps=6)
