"""A run that is stopped and continued ends as one that was not: the same adapter, bit for bit, from the same rows."""

import json
from pathlib import Path

import pytest

from signal_at import SignalAt
from tiny_data import save_tiny_data, tiny_rows
from tiny_reward import VOWELS
from vlm_grpo.methods import status
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.resume import attempts
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.rewards import registry
from vlm_grpo.store import jsonl, manifest

CONFIG = """
model: {model}
data: {data}
output_dir: {out}
gradient_checkpointing: false
learning_rate: 1e-2
lr_scheduler_type: cosine
warmup_steps: 2
lora_dropout: 0.1
logging_steps: 1
save_steps: 100
seed: 3
"""
SFT = CONFIG + "prompt: answer\ntarget: bare\nper_device_train_batch_size: 3\ngradient_accumulation_steps: 2\n"
GRPO = CONFIG + (
    "num_generations: 4\nper_device_train_batch_size: 4\nmax_completion_length: 5\nbeta: 0.04\nloss_type: grpo\n"
    "rewards: [vowels]\n"
)
REUSED = GRPO + "steps_per_generation: 2\nnum_iterations: 2\n"
CHECKED = REUSED.replace("completion_length: 5", "completion_length: 120") + (
    f"environment: double_check\ngeneration_kwargs: {{{{eos_token_id: {list(range(20, 120))}}}}}\n"
)
"""Rollouts of two turns, used twice; a random model's turns end at one of many tokens."""
FOLLOWED = REUSED + ("sync_ref_model: true\nref_model_sync_steps: 3\nref_model_mixup_alpha: 0.6\nadvantages: cubic\n")
"""The reference is a mix of three adapters by step 7, and the rollouts in hand have shaped advantages."""

CONSTRAINED = REUSED.replace("[vowels]", "[format]") + "constraints: [vowels=3]\nconstraint_rate: 0.5\n"
"""The multiplier of the one constraint is all that moves the policy, and moves itself at each rollout."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("exact") / "data", train=tiny_rows(6, split="train"))


CASES = {
    "sft": (sft, SFT, 5, (1, 3)),
    "grpo": (grpo, GRPO, 8, (2, 7)),
    "grpo-reused-rollouts": (grpo, REUSED, 8, (1, 6, 7)),
    "grpo-followed": (grpo, FOLLOWED, 8, (4, 7)),
    "grpo-constrained": (grpo, CONSTRAINED, 8, (3, 6)),
    "grpo-double-check": (grpo, CHECKED, 3, (1,)),
}
DAILY = {("tiny_qwen", name) for name in ("sft", "grpo-reused-rollouts", "grpo-constrained", "grpo-double-check")}
DAILY |= {("tiny_smolvlm", name) for name in ("grpo", "grpo-reused-rollouts", "grpo-followed")}
"""Each case daily with one of the families; the others at night."""


@pytest.mark.parametrize(
    "method, config, steps, stops, family",
    [
        pytest.param(
            *(*case, family),
            id=f"{name}-{family}",
            marks=() if (family, name) in DAILY else pytest.mark.nightly,
        )
        for name, case in CASES.items()
        for family in ("tiny_qwen", "tiny_smolvlm")
    ],
)
def test_stopped_by_a_signal(method, config, steps, stops, family, request, tmp_path, data, monkeypatch):
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)
    monkeypatch.setattr(method, "MetricsFile", SignalAt)
    model = request.getfixturevalue(family)

    def words(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(config.format(model=model, data=data, out=tmp_path / name))
        return ["--config", str(path), "--max_steps", str(steps)]

    method.main(words("undisturbed"))
    for stop in stops:
        monkeypatch.setattr(SignalAt, "steps", (stop,))
        with pytest.raises(SystemExit) as left:
            method.main(words("stopped"))
        assert left.value.code == 85
    monkeypatch.setattr(SignalAt, "steps", ())
    method.main(words("stopped"))

    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "stopped"
    assert adapter(stopped) == adapter(undisturbed)
    for log in ("completions.jsonl", "seen.jsonl"):
        assert jsonl.read(stopped / log) == jsonl.read(undisturbed / log)
    assert losses(stopped) == losses(undisturbed)
    assert config is not CHECKED or any(len(r["turns"]) == 3 for r in jsonl.read(stopped / "completions.jsonl"))
    starts = [a["step"] for a in attempts.read(stopped) if a["event"] == "started"]
    ends = [(a["event"], a["step"]) for a in attempts.read(stopped) if a["event"] != "started"]
    assert starts == [0, *stops]
    assert ends == [*[("stopped", stop) for stop in stops], ("done", steps)]
    assert manifest.read(stopped)["counts"] == manifest.read(undisturbed)["counts"]


@pytest.mark.parametrize(
    "method, config, logging",
    [(sft, SFT, "logging_steps: 3"), (sft, SFT, "logging_strategy: epoch"), (grpo, GRPO, "logging_steps: 3")],
    ids=["sft-steps", "sft-epochs", "grpo-steps"],
)
def test_logs_of_several_steps_tell_the_same_means(method, config, logging, tiny_qwen, tmp_path, data, monkeypatch):
    """Stopped within a logged stretch, at its end and at an epoch's; an epoch has three steps of SFT, six of GRPO."""
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)
    monkeypatch.setattr(method, "MetricsFile", SignalAt)
    config = config.replace("logging_steps: 1", logging).replace("train_batch_size: 3", "train_batch_size: 1")

    def train(name: str, *stops: int) -> list[dict[str, float]]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(config.format(model=tiny_qwen, data=data, out=tmp_path / name))
        for stop in stops:
            monkeypatch.setattr(SignalAt, "steps", (stop,))
            with pytest.raises(SystemExit):
                method.main(["--config", str(path), "--max_steps", "8"])
        monkeypatch.setattr(SignalAt, "steps", ())
        method.main(["--config", str(path), "--max_steps", "8"])
        return losses(tmp_path / name)

    undisturbed = train("undisturbed")
    assert 1 < len(undisturbed) < 8
    assert train("stopped", 1, 3, 5, 6) == undisturbed


def adapter(run: Path) -> bytes:
    return (run / "final" / "adapter_model.safetensors").read_bytes()


def losses(run: Path) -> list[dict[str, float]]:
    timing = ("step_time", "profiling")
    return [{k: v for k, v in m.items() if not k.startswith(timing)} for m in jsonl.read(run / "metrics.jsonl")]


def test_status_tells_where_a_run_stands(tiny_qwen, tmp_path, data, monkeypatch, capsys):
    monkeypatch.setattr(sft, "MetricsFile", SignalAt)
    monkeypatch.setattr(SignalAt, "steps", (2,))
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    out = tmp_path / "out"
    config = tmp_path / "config.yaml"
    config.write_text(SFT.format(model=tiny_qwen, data=data, out=out))
    words = ["--config", str(config), "--max_steps", "3"]
    with pytest.raises(SystemExit):
        sft.main(words)
    capsys.readouterr()
    status.main([str(out)])
    shown = capsys.readouterr().out
    for line in ("stopped, to be continued", "attempt      1 (job 77)", "step         2 of 3", "checkpoint-2"):
        assert line in shown
    monkeypatch.setattr(SignalAt, "steps", ())
    sft.main(words)
    capsys.readouterr()
    status.main(["--json", str(out)])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["attempt"], shown["step"]) == ("done", 2, 3)


def test_a_start_that_was_cut_off_in_the_writing(tmp_path):
    """An end of the attempt before, written by the start after it, and half of that start."""
    (tmp_path / "run.json").write_text("{}")
    start, lost = {"attempt": 1, "event": "started", "step": 0, "max_steps": 9}, {"attempt": 1, "event": "lost"}
    (tmp_path / attempts.ATTEMPTS).write_text(f'{json.dumps(start)}\n{json.dumps(lost)}\n{{"attempt": 2, "ev')
    state = status.status(tmp_path)
    assert (state["state"], state["attempt"], state["max_steps"]) == ("killed, to be continued", 1, 9)


def test_a_run_that_is_none(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        status.main([str(tmp_path)])
    assert left.value.code == 2
    assert "is not a training run" in capsys.readouterr().err


def test_another_number_of_processes_is_refused(tiny_qwen, tmp_path, data, capsys):
    out = tmp_path / "out"
    config = tmp_path / "config.yaml"
    config.write_text(SFT.format(model=tiny_qwen, data=data, out=out))
    sft.main(["--config", str(config), "--max_steps", "1"])
    identity = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(identity | {"processes": 2}))
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        sft.main(["--config", str(config), "--max_steps", "1"])
    assert left.value.code == 2
    assert "processes: 2 there, 1 asked" in capsys.readouterr().err
