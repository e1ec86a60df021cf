"""Two jobs that start at once on a fresh clone set up one environment between them."""

import json

import pytest

from fresh_checkout import SOURCE_AND_REPORT, Checkout

pytestmark = pytest.mark.slurm


def test_two_jobs_on_a_fresh_clone_share_one_environment(cluster, tmp_path):
    (tmp_path / "fresh").mkdir()
    checkout = Checkout(tmp_path / "fresh")
    script = checkout.root / "job.sh"
    script.write_text(f"#!/usr/bin/env bash\n{SOURCE_AND_REPORT}\n")
    cluster.checkout = checkout.root
    cluster.variables = checkout.variables | {name: cluster.variables[name] for name in ("SLURM_CONF", "PATH")}
    nodes = ("dev1", "dev2")
    jobs = [
        cluster.sbatch(f"--nodelist={node}", f"--output={node}.out", f"--error={node}.err", "job.sh") for node in nodes
    ]
    states = [job.wait() for job in jobs]
    messages = "".join((checkout.root / f"{node}.err").read_text() for node in nodes)
    assert states == ["COMPLETED", "COMPLETED"], messages
    assert messages.count("making a virtual environment") == 1, messages
    assert messages.count("is ready") == 1, messages
    reports = [json.loads((checkout.root / f"{node}.out").read_text()) for node in nodes]
    assert [prefix for prefix, _, _ in reports] == [str(checkout.root / ".venv")] * 2
