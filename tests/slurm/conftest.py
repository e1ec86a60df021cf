"""A real Slurm on this machine, and a checkout to submit from."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from waiting import last_step

ROOT = Path(__file__).parents[2]
FOLDER = Path("/run/vlm-grpo-slurm")
COPIED = ("scripts", "slurm", "configs", "workflow", "alignment_judge", "requirements", "pixi.toml")
WAITING_GRPO = """
source scripts/env.sh
source scripts/launch.sh
launch waiting.grpo configs/embedded/qwen_grpo.yaml "$@"
"""
TIMEOUT_S = 900
"""Far longer than any job here takes; reached only by one that hangs."""


@pytest.fixture(scope="session")
def slurm_conf() -> Iterator[str]:
    """A cluster that answers; the last of the test processes to use it stops it, if tests have started it."""
    if os.geteuid() != 0:
        pytest.skip("a Slurm cluster is started by root")
    FOLDER.mkdir(exist_ok=True)
    conf, ours = str(FOLDER / "slurm.conf"), FOLDER / "started-by-tests"
    with (FOLDER / "in-use").open("w") as in_use:
        fcntl.flock(in_use, fcntl.LOCK_SH)
        if not answers(conf):
            ours.touch()
        up = subprocess.run(["bash", ROOT / "scripts/dev/slurm_up.sh", FOLDER], capture_output=True, text=True)
        if not shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
            pytest.skip(up.stderr.strip().splitlines()[-1])
        assert up.stdout == f"export SLURM_CONF={conf} PATH={FOLDER}/bin:$PATH\n", up.stderr
        yield conf
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another test process is still using it
            return
        if ours.exists():
            subprocess.run(["bash", ROOT / "scripts/dev/slurm_down.sh", FOLDER], check=True)
            ours.unlink()


def answers(conf: str) -> bool:
    if not (FOLDER / "slurmctld.pid").exists():
        return False
    try:
        done = subprocess.run(["sinfo"], env={**os.environ, "SLURM_CONF": conf}, capture_output=True, timeout=10)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class Cluster:
    """Slurm's commands, given in a checkout of the test's own."""

    def __init__(self, checkout: Path, conf: str) -> None:
        self.checkout = checkout
        self.variables = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_", "VLM_GRPO_"))},
            "SLURM_CONF": conf,
            "PATH": f"{FOLDER}/bin:{os.environ['PATH']}",
            "VLM_GRPO_PYTHON": sys.executable,
            "DATA_PATH": str(checkout / "data"),
            "OUT_PATH": str(checkout / "runs"),
            "PYTHONPATH": f"{ROOT}/src:{ROOT}/tests",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
        }

    def call(self, *words: str | Path, **variables: str) -> str:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self.checkout,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def sbatch(self, *words: str, **variables: str) -> "Job":
        return self.job(self.call("sbatch", "--parsable", *words, **variables).strip())

    def job(self, number: str) -> "Job":
        return Job(self, number)


class Job:
    """A batch job."""

    def __init__(self, cluster: Cluster, number: str) -> None:
        self.cluster, self.number = cluster, number
        self._released: set[str] = set()

    def field(self, name: str) -> str:
        job = self.cluster.call("scontrol", "show", "job", "--oneliner", self.number)
        return dict(word.split("=", 1) for word in job.split() if "=" in word)[name]

    def strike(self, run: Path, step: int) -> None:
        """Send SIGUSR1 as the limit would, once `run`, which waits in `step` (see tests/waiting), has come to it."""
        self.until(lambda: last_step(run) >= step - 1, within_attempt=True)
        self.cluster.call("scancel", "--batch", "--signal=USR1", self.number)

    def log(self) -> str:
        """What all attempts printed."""
        return Path(self.field("StdOut")).read_text()

    def until(self, reached: Callable[[], bool], *, within_attempt: bool = False) -> None:
        """Wait until `reached`; the wait before a requeued job's next attempt is cut short."""
        end = time.monotonic() + TIMEOUT_S
        while not reached():
            state = self.field("JobState")
            self.release()
            assert time.monotonic() < end, f"{state}: {self.log()}"
            assert not within_attempt or state not in ENDED, f"{state}: {self.log()}"
            time.sleep(0.3)

    def release(self) -> None:
        """Let a requeued job start soon; at once would be refused, for its node has just revoked its credential."""
        attempt = self.field("Restarts")
        if attempt != "0" and attempt not in self._released and self.field("JobState") == "PENDING":
            self._released.add(attempt)
            # Refused where it has just started by itself.
            subprocess.run(
                ["scontrol", "update", f"JobId={self.number}", "StartTime=now+2"],
                env=self.cluster.variables,
                capture_output=True,
                timeout=TIMEOUT_S,
            )

    def wait(self) -> str:
        """Wait for the job's end; return its state."""
        self.until(lambda: self.field("JobState") in ENDED)
        return self.field("JobState")


ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")


@pytest.fixture
def cluster(slurm_conf: str, tmp_path: Path) -> Cluster:
    """The cluster, and a checkout in `tmp_path` to submit from; its jobs use the interpreter of the tests."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    (checkout / "src").symlink_to(ROOT / "src")
    (checkout / "scripts/waiting_grpo.sh").write_text(WAITING_GRPO)
    (checkout / "logs").mkdir()
    return Cluster(checkout, slurm_conf)
