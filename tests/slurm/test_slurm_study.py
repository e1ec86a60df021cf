"""The study through `workflow/profiles/slurm`: the tables of the local one, though a training job was struck."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from vlm_grpo.store import jsonl
from waiting import last_step

pytestmark = pytest.mark.slurm

STUDY = {
    "title": "A tiny study",
    "datasets": {
        "tiny": {
            "command": "python -m vlm_grpo.embedded.synthetic_vsr --seed 0 --train 64 --validation 8 --test 16",
            "folder": "data/tiny",
        }
    },
    "bases": {
        "base": {
            "model": "embedded:qwen2_5_vl",
            "evaluation": "configs/embedded/qwen_evaluate.yaml",
        }
    },
    "arms": {
        "grpo": {
            "start": "base",
            "method": "waiting",
            "data": "tiny",
            "training": "configs/embedded/qwen_grpo.yaml",
            "arguments": "--max_steps 16 --per_device_train_batch_size 8 --save_steps 100",
        }
    },
    "seeds": [42],
    "evaluations": {"test": {"data": "tiny", "split": "test"}},
}
WORKFLOW = """
from dataclasses import replace
from vlm_grpo.methods.registry import METHODS
METHODS["waiting"] = replace(METHODS["grpo"], name="waiting", module="waiting.grpo")
include: "Snakefile"
"""


def command(checkout: Path, name: str, profile: str, *words: str) -> list[str]:
    """Snakemake's command for the study under `name`, which has its own work and results."""
    config = checkout / f"{name}.yaml"
    config.write_text(yaml.safe_dump(STUDY | {"results": f"results/{name}", "work": f"runs/study/{name}"}))
    (checkout / "workflow/waiting.smk").write_text(WORKFLOW)
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", "workflow/waiting.smk", "--configfile", str(config)]
    return [*snakemake, "--profile", f"workflow/profiles/{profile}", "--nolock", *words]


def tables(checkout: Path, name: str) -> str:
    """The report up to its last section, which tells times."""
    text = (checkout / f"results/{name}/summary.md").read_text().replace(f"study/{name}", "study")
    return text.split("### Seconds")[0]


@contextmanager
def started(cluster, log: str, words: list[str], **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Snakemake at work, what it prints in the file `log`; ended with the test."""
    with (cluster.checkout / log).open("w") as file:
        variables = cluster.variables | variables
        process = subprocess.Popen(words, cwd=cluster.checkout, env=variables, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.nightly
def test_the_study_on_slurm_ends_with_the_tables_of_the_local_one(cluster):
    """Both go on side by side, over one data set; the job is struck in its third step."""
    checkout = cluster.checkout
    cluster.call(*command(checkout, "local", "local", "data/tiny/manifest.json", "--cores", "1"))
    status = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"]
    on_slurm = command(checkout, "slurm", "slurm", "all", *status, "--seconds-between-status-checks", "5")
    here = command(checkout, "local", "local", "all", "--cores", "1")
    run = checkout / "runs/study/slurm/grpo/42/train"
    struck = None
    waiting = started(cluster, "slurm.log", on_slurm, WAIT_AT_STEPS="3")
    with waiting as submitting, started(cluster, "local.log", here) as local:
        while submitting.poll() is None or local.poll() is None:
            if struck is None and last_step(run) >= 2:
                struck = cluster.job(jsonl.read(run / "attempts.jsonl")[0]["job"])
                cluster.call("scancel", "--signal=USR1", struck.number)
            if struck is not None:
                struck.release()
            time.sleep(0.3)
        assert local.returncode == 0, (checkout / "local.log").read_text()
        assert submitting.returncode == 0, (checkout / "slurm.log").read_text()
    assert [line["event"] for line in jsonl.read(run / "attempts.jsonl")] == ["started", "stopped", "started", "done"]
    logs = (checkout / "logs/study/rule_train").rglob(f"{struck.number}.log")
    assert "requeueing job" in "".join(path.read_text() for path in logs)
    assert tables(checkout, "slurm") == tables(checkout, "local")
