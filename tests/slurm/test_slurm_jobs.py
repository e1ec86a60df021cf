"""Batch jobs on a real Slurm: they train to the end; stopped, they requeue themselves and end as if undisturbed."""

import json
from pathlib import Path

import pytest

from vlm_grpo.store import jsonl, manifest
from waiting import last_step

pytestmark = pytest.mark.slurm

SIZE = ["--gres=gpu:1", "--cpus-per-task=1", "--mem=4G"]
EMBEDDED = {"VLM_GRPO_CONFIG": "configs/embedded/qwen_grpo.yaml"}
WAITING = EMBEDDED | {"VLM_GRPO_SCRIPT": "scripts/waiting_grpo.sh"}
SHORT = ["--max_steps", "16", "--per_device_train_batch_size", "8", "--save_steps", "100"]


def adapter(run: Path) -> bytes:
    return (run / "final/adapter_model.safetensors").read_bytes()


def events(run: Path) -> list[str]:
    return [record["event"] for record in jsonl.read(run / "attempts.jsonl")]


@pytest.mark.parametrize("strikes", [(3,), pytest.param((3, 8, 13), marks=pytest.mark.nightly)])
def test_a_job_that_is_struck_ends_with_the_adapter_of_an_undisturbed_one(cluster, strikes):
    """The undisturbed one is `sbatch slurm/grpo.sbatch` on a fresh clone, which makes its data set by itself."""
    whole, struck = cluster.checkout / "runs/whole", cluster.checkout / "runs/struck"
    first = cluster.sbatch("slurm/grpo.sbatch", "--output_dir", str(whole), *SHORT, **EMBEDDED)
    waits = WAITING | {"WAIT_AT_STEPS": ",".join(map(str, strikes))}
    second = cluster.sbatch(*SIZE, "slurm/grpo.sbatch", "--output_dir", str(struck), *SHORT, **waits)
    for step in strikes:
        second.strike(struck, step)
        second.until(lambda: second.field("JobState") in ("PENDING", "COMPLETED"))
    assert (first.wait(), second.wait()) == ("COMPLETED", "COMPLETED"), first.log() + second.log()

    assert manifest.read(whole, kind="grpo")["counts"]["steps"] == 16
    assert events(whole) == ["started", "done"]
    assert "== attempt 1: job" in first.log()
    assert (first.field("Restarts"), second.field("Restarts")) == ("0", str(len(strikes)))
    assert events(struck) == ["started", "stopped"] * len(strikes) + ["started", "done"]
    assert [end["step"] for end in jsonl.read(struck / "attempts.jsonl") if end["event"] == "stopped"] == [*strikes]
    assert adapter(struck) == adapter(whole)
    logs = sorted((cluster.checkout / f"logs/vlm-grpo-grpo-{second.number}").iterdir())
    assert [path.name for path in logs] == [f"attempt-{n}.log" for n in range(1, len(strikes) + 2)]
    whole_log = second.log().splitlines()
    for number, path in enumerate(logs, start=1):
        lines = path.read_text().splitlines()
        assert lines[0].startswith(f"== attempt {number}: job {second.number}")
        # Slurm ends a requeued job while its last line is on the way, and writes a line of its own.
        assert set(lines[:-1]) <= set(whole_log)


def test_scancel_stops_for_good(cluster):
    run = cluster.checkout / "runs/cancelled"
    job = cluster.sbatch(*SIZE, "slurm/grpo.sbatch", "--output_dir", str(run), *SHORT, **WAITING, WAIT_AT_STEPS="3")
    job.until(lambda: last_step(run) >= 2, within_attempt=True)
    cluster.call("scancel", job.number)
    assert job.wait() == "CANCELLED"
    assert job.field("Restarts") == "0"
    assert "requeueing" not in job.log()
    assert not manifest.exists(run)


def test_a_job_without_progress_is_not_requeued_for_ever(cluster):
    """A stand-in for training that saves in its first attempt and never again."""
    run = cluster.checkout / "runs/stuck"
    script = cluster.checkout / "scripts/stuck.sh"
    script.write_text(
        f'if [[ $1 == --where ]]; then echo {run}; exit; fi\nmkdir -p "{run}/checkpoint-5"\n'
        f'touch "{run}/checkpoint-5/complete.json"\nexit 85\n'
    )
    job = cluster.sbatch(*SIZE, "slurm/train.sbatch", VLM_GRPO_SCRIPT="scripts/stuck.sh")
    assert job.wait() == "FAILED"
    assert job.field("Restarts") == "1"
    assert job.field("ExitCode") == "85:0"
    assert "stopped without progress (at 5 when this attempt began, at 5 now): not requeued" in job.log()


@pytest.mark.nightly
def test_two_nodes_stop_together_and_go_on(cluster):
    run = cluster.checkout / "runs/two_nodes"
    job = cluster.sbatch(
        *SIZE,
        "slurm/grpo_multinode.sbatch",
        *("--output_dir", str(run), *SHORT, "--max_steps", "8"),
        **WAITING,
        WAIT_AT_STEPS="3",
        VLM_GRPO_ACCELERATE="configs/accelerate/cpu_two_processes.yaml",
    )
    job.strike(run, 3)
    assert job.wait() == "COMPLETED", job.log()
    assert job.field("Restarts") == "1"
    assert job.field("NodeList") == "dev[1-2]"
    assert events(run) == ["started", "stopped", "started", "done"]
    assert "stopped after step 3 of 8" in job.log()
    claimed = json.loads((run / "run.json").read_text())
    assert claimed["processes"] == 2


def test_a_checkout_whose_name_has_spaces_and_signs(cluster):
    """On two nodes, so that each of the scripts meets it; the folder that progress is looked for in is below `~`."""
    checkout = cluster.checkout.rename(cluster.checkout.with_name("it's (a) & $b"))
    cluster.checkout = checkout
    cluster.variables |= {"DATA_PATH": f"{checkout}/data", "OUT_PATH": "~/runs", "HOME": str(checkout)}
    (checkout / "scripts/quick.sh").write_text(
        'source scripts/env.sh\nif [[ $1 == --where ]]; then exec python -m vlm_grpo.where "$@"; fi\n'
        'run=$OUT_PATH/quick\nif [[ -d $run ]]; then echo "said: $PWD|$2"; exit; fi\n'
        'sleep 2\nmkdir -p "$run/checkpoint-5"\ntouch "$run/checkpoint-5/complete.json"\nexit 85\n'
    )
    words = ("--out=~/runs/quick", "a b")
    job = cluster.sbatch(*SIZE, "slurm/grpo_multinode.sbatch", *words, VLM_GRPO_SCRIPT="scripts/quick.sh")
    assert job.wait() == "COMPLETED"
    assert job.field("Restarts") == "1", "the checkpoint below ~ is progress"
    log = checkout / f"logs/slurm-vlm-grpo-grpo-multinode-{job.number}.out"
    assert log.read_text().splitlines().count(f"said: {checkout}|a b") == 2
