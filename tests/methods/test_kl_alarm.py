"""The KL alarm: what it says of curves, what it remembers, and a real run that is made to run away."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainerControl, TrainerState

from tiny_data import save_tiny_data, tiny_rows
from tiny_reward import VOWELS
from vlm_grpo.methods import status
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.kl_alarm import FEWEST, HARMLESS, LOST, RAISED, KLAlarm, KLMedian
from vlm_grpo.methods.metrics import MetricsFile
from vlm_grpo.methods.resume import attempts
from vlm_grpo.methods.resume.stopping import EndedEarly
from vlm_grpo.rewards import registry
from vlm_grpo.store import jsonl

CONFIG = """
model: {model}
data: {data}
output_dir: {out}
rewards: [vowels]
num_generations: 4
per_device_train_batch_size: 4
max_completion_length: 6
max_steps: 15
learning_rate: 1e-4
lr_scheduler_type: constant
beta: 0.04
loss_type: grpo
lora_dropout: 0.0
gradient_checkpointing: false
logging_steps: 1
save_steps: 100
seed: 3
"""
ARGS = SimpleNamespace(learning_rate=1e-6, beta=0.04)


def levels(curve: list[float]) -> list[float]:
    """The level that each value of `curve` newly reaches, 0 where none."""
    watch = KLMedian()
    return [watch.level if watch.see(kl) else 0.0 for kl in curve]


def test_each_level_is_told_once_until_the_kl_has_fallen_below_it():
    calm = [0.01] * FEWEST
    assert levels([*calm, 0.099, 0.1, 0.2, 0.99, 1.0, 3.0]) == [0] * FEWEST + [0, RAISED, 0, 0, LOST, 0]
    assert levels([*calm, 5.0, 5.0, 0.5, 5.0, 0.01, 0.2])[FEWEST:] == [LOST, 0, 0, LOST, 0, RAISED]


@pytest.mark.parametrize("alpha", [0.9, 1.0])
def test_the_saw_tooth_of_a_reference_that_follows_is_no_alarm(alpha):
    """A policy that walks steadily away: the KL grows with the square of the distance, a sync divides that by ten."""
    policy = reference = 0.0
    curve = []
    for step in range(640):
        if step % 64 == 0:
            reference = (1 - alpha) * reference + alpha * policy
        curve.append((policy - reference) ** 2)
        policy += 0.01
    assert max(curve) > 100 * HARMLESS
    assert set(levels(curve)) == {0}


def test_the_first_steps_and_a_kl_near_nothing_are_no_alarm():
    assert set(levels([0.0, 1e-9, 1e-6, 1e-4, 1e-3, 5e-3, 5e-3, 9e-3, 2e-2, 2e-2])) == {0}


def logs_of(alarm: KLAlarm, curve: list[float], state: TrainerState, capsys: pytest.CaptureFixture[str]) -> str:
    for kl in curve:
        state.global_step += 1
        state.log_history.append({"kl": kl, "step": state.global_step})
        alarm.on_log(ARGS, state, TrainerControl(), logs={"kl": kl})
    return capsys.readouterr().err


def test_a_line_and_a_loud_one(capsys):
    state = TrainerState(is_world_process_zero=True)
    shown = logs_of(KLAlarm("tell"), [0.01] * 9 + [0.15, 2.0], state, capsys)
    assert shown.splitlines() == [
        "kl: kl 0.15 at step 10 is 15 times its running median 0.01",
        "KL ALARM: kl 2 at step 11 is 200 times its running median 0.01: THIS RUN IS PROBABLY LOST",
    ]


def test_a_stop_saves_first():
    alarm, state, control = KLAlarm("stop"), TrainerState(is_world_process_zero=False, global_step=11), TrainerControl()
    alarm.on_save(ARGS, state, control)
    for kl in [0.01] * 9 + [0.15]:
        alarm.on_log(ARGS, state, control, logs={"kl": kl})
    assert not control.should_save
    alarm.on_log(ARGS, state, control, logs={"kl": 2.0})
    assert control.should_save
    with pytest.raises(EndedEarly, match="kl 2 at step 11 is 200 times"):
        alarm.on_save(ARGS, state, control)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.integers(0, 60))
def test_a_resumed_run_goes_on_with_the_median_and_the_level(curve, cut):
    whole = KLMedian()
    alarms = [whole.see(kl) for kl in curve]
    alarm = KLAlarm("tell")
    state = TrainerState(log_history=[{"loss": 1.0}, {"kl": None}, *({"kl": kl} for kl in curve[:cut])])
    alarm.on_train_begin(ARGS, state, TrainerControl())
    assert [alarm._watch.see(kl) for kl in curve[cut:]] == alarms[cut:]


class RunsAwayFrom(MetricsFile):
    """The metrics file that it stands in for; from optimiser step `step` on the learning rate is far too large."""

    step = 12

    def on_step_begin(self, args: Any, state: Any, control: Any, *, optimizer: Any, **_: Any) -> None:
        if state.global_step + 1 >= self.step:
            for group in optimizer.param_groups:
                group["lr"] = 1.0


@pytest.fixture
def words(tiny_qwen, tmp_path, monkeypatch):
    """The command line of a run that runs away."""
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)
    monkeypatch.setattr(grpo, "MetricsFile", RunsAwayFrom)
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(12, split="train"))
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(model=tiny_qwen, data=data, out=tmp_path / "out"))
    return ["--config", str(path)]


def test_a_real_run_that_runs_away_is_stopped_saved_and_can_go_on(words, tmp_path, capsys):
    out: Path = tmp_path / "out"
    with pytest.raises(SystemExit) as left:
        grpo.main([*words, "--kl_alarm", "stop"])
    assert left.value.code == 2
    shown = capsys.readouterr().err.splitlines()
    last = jsonl.read(out / "metrics.jsonl")[-1]
    stopped, kl = last["step"], last["kl"]
    assert RunsAwayFrom.step < stopped < 15
    assert kl > 100 * HARMLESS
    assert [line for line in shown if "KL ALARM" in line] == [
        f"KL ALARM: kl {kl:.3g} at step {stopped} is {kl / HARMLESS:.3g} times its running median 0.003: "
        "THIS RUN IS PROBABLY LOST"
    ]
    assert shown[-1].startswith(f"error: {out}: stopped after step {stopped} of 15: kl {kl:.3g}")
    assert f"checkpoint-{stopped} is saved, and the same command goes on" in shown[-1]
    assert "a lower learning_rate (it was 0.0001) or a higher beta (it was 0.04)" in shown[-1]
    assert "times its running median" in attempts.read(out)[-1]["reason"]
    assert status.status(out)["state"] == "stopped, to be continued"
    assert not (out / "final").exists()

    grpo.main([*words, "--kl_alarm", "stop"])
    shown = capsys.readouterr().err
    assert "KL ALARM" not in shown, "the level was reached before"
    assert "preflight" not in shown, "these rollouts are not the base's"
    assert (out / "final").exists()
    assert [record["step"] for record in jsonl.read(out / "metrics.jsonl")] == list(range(1, 16))


def test_a_run_that_is_only_told_goes_on(words, tmp_path, capsys):
    grpo.main(words)
    assert capsys.readouterr().err.count("KL ALARM") == 1
    assert (tmp_path / "out" / "final").exists()
