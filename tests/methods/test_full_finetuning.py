"""Training the weights themselves: what trains, how the reference follows, exact resumes, the checkpoint it leaves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from refusals import refusal
from signal_at import SignalAt
from tiny_data import save_tiny_data, tiny_rows
from tiny_reward import VOWELS
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.merge import command as merge
from vlm_grpo.methods import placement
from vlm_grpo.methods.arguments import StudyArguments
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.reference import FILE as REFERENCE
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.rewards import registry
from vlm_grpo.store import jsonl, manifest

ROOT = Path(__file__).parents[2]
CONFIG = """
model: {model}
data: {data}
output_dir: {out}
full_finetuning: {weights}
per_device_train_batch_size: 4
gradient_checkpointing: false
max_steps: 5
learning_rate: 1e-3
logging_steps: 1
save_steps: 100
seed: 3
"""
GRPO = CONFIG + (
    "rewards: [vowels]\nnum_generations: 4\nmax_completion_length: 6\nbeta: 0.04\nloss_type: grpo\n"
    'rollout_cache: "true"\nsync_ref_model: true\nref_model_sync_steps: 2\nref_model_mixup_alpha: 1.0\n'
)
SFT = CONFIG + "prompt: answer\ntarget: bare\n"
FAMILIES = [("tiny_hub_qwen", "all"), ("tiny_smolvlm", "language"), ("tiny_internvl", "all")]

VISION = ("visual.", "vision_model.", "connector.", "vision_tower.", "multi_modal_projector.")
"""Parts of the names of what is not the language tower, in any family."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = {"train": tiny_rows(12, split="train"), "validation": tiny_rows(4)}
    return save_tiny_data(tmp_path_factory.mktemp("full") / "data", **rows)


@pytest.fixture
def train(tmp_path, data, monkeypatch):
    """Run `method` from `model` as `name`, told to stop in each of `stops`; its folder."""
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)

    def run(method, config: str, model: Path, name: str, *, weights: str, stops: tuple[int, ...] = ()) -> Path:
        monkeypatch.setattr(method, "MetricsFile", SignalAt)
        path, out = tmp_path / f"{name}.yaml", tmp_path / name
        path.write_text(config.format(model=model, data=data, out=out, weights=weights))
        for stop in stops:
            monkeypatch.setattr(SignalAt, "steps", (stop,))
            with pytest.raises(SystemExit) as left:
                method.main(["--config", str(path)])
            assert left.value.code == 85
        monkeypatch.setattr(SignalAt, "steps", ())
        method.main(["--config", str(path)])
        return out

    return run


def kl(run: Path) -> list[float]:
    return [record["kl"] for record in jsonl.read(run / "metrics.jsonl")]


def texts(run: Path) -> list[str]:
    return [record["text"] for record in jsonl.read(run / "completions.jsonl")]


@pytest.mark.parametrize("family, weights", FAMILIES)
def test_the_kl_is_zero_after_a_sync_and_a_stopped_run_goes_on_exactly(family, weights, request, train):
    base = request.getfixturevalue(family)
    run = train(grpo, GRPO, base, "undisturbed", weights=weights)
    assert kl(run)[2] == pytest.approx(0, abs=1e-9)
    assert kl(run)[4] == pytest.approx(0, abs=1e-9)
    assert min(kl(run)[1], kl(run)[3]) > 1e-6, "between two syncs the policy walks away"

    stopped = train(grpo, GRPO, base, "stopped", weights=weights, stops=(1, 3))
    assert kl(stopped) == kl(run)
    assert texts(stopped) == texts(run)
    for file in ("final/model.safetensors", "checkpoint-5/model.safetensors", f"checkpoint-5/{REFERENCE}"):
        assert (stopped / file).read_bytes() == (run / file).read_bytes(), file

    before, after = (load_file(folder / "model.safetensors") for folder in (base, run / "final"))
    assert after.keys() == before.keys()
    assert {tensor.dtype for tensor in after.values()} == {torch.float16}, "stored as the base"
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    vision = {name for name in before if any(part in name for part in VISION)}
    assert vision
    assert bool(moved & vision) is (weights == "all")
    assert moved - vision
    in_all = sum(tensor.numel() for name, tensor in before.items() if weights == "all" or name not in vision)
    assert manifest.read(run)["counts"]["trainable_parameters"] == in_all


def test_final_is_a_checkpoint_that_is_asked_and_trained_on_without_a_merge(tiny_qwen, train, data, tmp_path, capsys):
    run = train(grpo, GRPO, tiny_qwen, "whole", weights="all")
    final = run / "final"
    for file in tiny_qwen.iterdir():
        if file.suffix != ".safetensors":
            assert (final / file.name).read_bytes() == file.read_bytes(), f"{file.name} is the base's"
    answers = {}
    for name, model in (("base", tiny_qwen), ("trained", final)):
        out = tmp_path / f"asked_{name}"
        evaluate(EvaluationArguments(model=str(model), data=str(data), out=str(out), max_new_tokens=12))
        answers[name] = [generation.text for generation in generations.read(out).values()]
    assert answers["trained"] != answers["base"]

    written = (final / "model.safetensors").read_bytes()
    (run / "manifest.json").unlink()
    shutil.rmtree(final)
    train(grpo, GRPO, tiny_qwen, "whole", weights="all")  # its `final` is now made from the last checkpoint
    assert (final / "model.safetensors").read_bytes() == written
    assert (final / "asked.json").exists()

    onwards = train(sft, SFT, final, "onwards", weights="language", stops=(2,))
    assert manifest.read(onwards)["inputs"]["base"] == open_checkpoint(str(final)).fingerprint
    capsys.readouterr()
    line = refusal(capsys, merge.main, ["--adapter", final, "--out", tmp_path / "merged"], alone=False)
    assert "is a whole checkpoint, in which nothing is left to merge" in line


def test_what_trains_is_what_the_setting_says(tiny_qwen):
    base = open_checkpoint(str(tiny_qwen))
    model = base.load_model(dtype=torch.float32)
    assert placement.check_placement(model, base.adapter, full="all") == sum(p.numel() for p in model.parameters())
    with pytest.raises(AssertionError, match="adapts the vision tower"):
        placement.check_placement(model, base.adapter, full="language")
    placement.freeze(model, base.adapter, full="language")
    some = placement.check_placement(model, base.adapter, full="language")
    assert some == sum(p.numel() for name, p in model.named_parameters() if "visual" not in name)
    model.lm_head.weight.requires_grad_(False)
    with pytest.raises(AssertionError, match=r"lm_head\.weight does not train"):
        placement.check_placement(model, base.adapter, full="language")


def test_weights_are_held_in_float32_whatever_is_computed_in():
    def held(full: str | None) -> torch.dtype:
        return placement.held_in(StudyArguments(model="x", data="y", full_finetuning=full), "bfloat16")

    assert [held(full) for full in (None, "language", "all")] == [torch.bfloat16, torch.float32, torch.float32]


def test_settings_of_lora_have_no_effect():
    assert StudyArguments(model="x", data="y").lora_r == 16
    with pytest.raises(UserError, match="'lora_dropout' has no effect with full_finetuning: all"):
        StudyArguments(model="x", data="y", full_finetuning="all", lora_dropout=0.0)
    with pytest.raises(UserError, match="unknown full_finetuning 'everything'"):
        StudyArguments(model="x", data="y", full_finetuning="everything")


PROCESS = """
import sys
import deepspeed.ops
deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # else compiled first, for minutes; gloo will do
from tiny_reward import VOWELS
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.rewards import registry
registry.REWARDS["vowels"] = VOWELS
grpo.main(sys.argv[1:])
"""


@pytest.mark.nightly
def test_two_processes_share_optimiser_and_gradients_and_go_on_from_a_checkpoint(tiny_hub_qwen, tmp_path, data):
    (tmp_path / "run.py").write_text(PROCESS)
    run = tmp_path / "run"
    (tmp_path / "config.yaml").write_text(GRPO.format(model=tiny_hub_qwen, data=data, out=run, weights="all"))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "run.py"]
    words = ["--config", "config.yaml", "--save_steps", "3", "--deepspeed", str(ROOT / "configs/deepspeed/zero2.json")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}

    def start() -> bytes:
        done = subprocess.run(
            [*launcher, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400, check=False
        )
        assert done.returncode == 0, done.stderr
        return (run / "final/model.safetensors").read_bytes()

    undisturbed, before = start(), kl(run)
    assert before[2] == pytest.approx(0, abs=1e-9)
    assert before[4] == pytest.approx(0, abs=1e-9)
    for folder in ("final", "checkpoint-5"):
        shutil.rmtree(run / folder)
    (run / "manifest.json").unlink()
    assert start() == undisturbed, "from checkpoint-3"
    assert kl(run) == before
