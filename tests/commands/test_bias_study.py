"""The graphs of the studies with biased arms, as `--dry-run` lists them."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs/study/bias.yaml"


def listed(*words: str, folder: Path) -> list[str]:
    """The messages of the jobs that a dry run of `words` lists."""
    places = {"DATA_PATH": str(folder / "data"), "OUT_PATH": str(folder / "runs")}
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **places}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^Job \d+: (.*?)(?: \[.*\])?$", done.stdout, re.M)


def test_the_bias_study_names_every_job(tmp_path):
    profile = ["--profile", "workflow/profiles/local", "--config", f"results={tmp_path}/results"]
    source = ["bash", "-c", 'source scripts/env.sh && snakemake "$@"', "snakemake"]
    jobs = listed(*source, "-s", "workflow/Snakefile", "--configfile", str(CONFIG), *profile, "-n", folder=tmp_path)
    study = yaml.safe_load(CONFIG.read_text())
    trained = {
        f"train {arm}_{data}, seed {seed}"
        for report in study["bias_reports"].values()
        for arm in report["arms"]
        for data in report["levels"].values()
        for seed in study["seeds"]
    }
    assert len(trained) == 4 * (4 + 4 + 3) * 3
    assert trained <= set(jobs)
    kinds = Counter(job.split()[0] for job in jobs)
    levels = 4 + 4 + 3 * 3
    assert kinds["evaluate"] == 4 * levels * 3 + 2 * (1 + 1 + 3), "vision is asked three times"
    assert kinds["build"] == 1 + 4 + 4 + 3
    assert kinds["write"] == 3
    assert all(Path(arm["training"]).is_file() for arm in study["arms"].values())


def test_the_quickstart_can_leave_the_biased_arms_out(tmp_path):
    places = [f"work={tmp_path}/work", f"results={tmp_path}/results"]
    jobs = listed("bash", "scripts/quickstart.sh", "--no-bias", "--dry-run", "--config", *places, folder=tmp_path)
    assert {job for job in jobs if job.startswith("train")} == {"train sft, seed 42", "train grpo, seed 42"}
    assert "write the report" in jobs
    assert not any("bias" in job for job in jobs)
