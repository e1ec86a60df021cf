"""Submitting through scripts/submit.sh and scripts/submit_study.sh, on a real Slurm."""

import re

import pytest
import yaml

pytestmark = pytest.mark.slurm


def test_a_job_with_the_settings_of_env(cluster):
    checkout = cluster.checkout
    (checkout / ".env").write_text("SBATCH_PARTITION=main\nSBATCH_GRES=gpu:2\nSBATCH_TIMELIMIT=00:20:00\n")
    (checkout / "scripts/quick.sh").write_text(
        f'if [[ $1 == --where ]]; then echo {checkout}; else echo "said: $*"; fi\n'
    )
    words = ("--cpus-per-task=2", "--mem=3G", "--time=00:10:00", "slurm/train.sbatch", "--word", "a b")
    output = cluster.call("bash", "scripts/submit.sh", *words, VLM_GRPO_SCRIPT="scripts/quick.sh")
    job = cluster.job(re.fullmatch(r"Submitted batch job (\d+)\n", output)[1])
    assert job.wait() == "COMPLETED"
    asked = ("Partition", "TimeLimit", "TresPerNode", "NumCPUs", "MinMemoryNode")
    assert [job.field(name) for name in asked] == ["main", "00:10:00", "gres:gpu:2", "2", "3G"]
    assert "said: --word a b" in job.log()


def test_a_study(cluster):
    """One job of it: the data set."""
    folder = cluster.checkout / "data/tiny"
    study = {
        "title": "One job",
        "results": "results",
        "work": "runs/study",
        "datasets": {
            "tiny": {
                "command": "python -m vlm_grpo.embedded.synthetic_vsr --seed 0 --train 8 --validation 4 --test 4",
                "folder": str(folder),
            }
        },
        "seeds": [1],
        "cluster": {"data": {"cpus": 2, "memory_gb": 3, "limit_h": 0.5, "expected_h": 0.1}},
    }
    (cluster.checkout / "study.yaml").write_text(yaml.safe_dump(study))
    words = ["bash", "scripts/submit_study.sh", "study.yaml", str(folder / "manifest.json")]
    listed = cluster.call(*words, "--dry-run")
    assert f"build {folder}" in listed
    assert "1 jobs, about 0 GPU hours" in listed
    assert not folder.exists()

    soon = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]
    cluster.call(*words, *soon, SBATCH_PARTITION="main", SBATCH_TIMELIMIT="9:00:00")
    assert (folder / "manifest.json").exists()
    (log,) = (cluster.checkout / "logs/study").rglob("*.log")
    job = cluster.job(log.stem)
    asked = ("JobState", "Partition", "TimeLimit", "NumCPUs", "MinMemoryNode")
    assert [job.field(name) for name in asked] == ["COMPLETED", "main", "00:30:00", "2", "3G"]
