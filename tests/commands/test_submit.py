"""`scripts/submit.sh` and `scripts/submit_study.sh` without a cluster: what a dry run prints, and wrong arguments.

Real submissions are in tests/slurm/test_slurm_submit.py.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = {k: v for k, v in os.environ.items() if not k.startswith(("SBATCH_", "SLURM_"))}
PROGRAMS = ("bash", "dirname", "sed", "grep", "awk")


def run(*words: str, root: Path = ROOT, **variables: str) -> tuple[int, str, str]:
    words = ("bash", str(root / "scripts" / words[0]), *words[1:])
    done = subprocess.run(words, cwd="/", env=HERE | variables, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Scripts, batch scripts and a `.env` of one's own."""
    for name in ("scripts", "slurm"):
        shutil.copytree(ROOT / name, tmp_path / name)
    settings = "SBATCH_ACCOUNT=cs-503\nSBATCH_QOS=cs-503\nSBATCH_TIMELIMIT=06:00:00\nSBATCH_GRES=gpu:a100:1\n"
    (tmp_path / ".env").write_text(settings + "SBATCH_MEM_PER_NODE=64G\n")
    return tmp_path


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "slurm").glob("*.sbatch")))
def test_without_settings_the_dry_run_is_the_script_itself(script, checkout):
    (checkout / ".env").unlink()
    code, output, errors = run("submit.sh", f"slurm/{script}", "--dry-run", root=checkout)
    assert (code, errors) == (0, "")
    assert output == f"# sbatch slurm/{script}\n" + (ROOT / "slurm" / script).read_text()


def test_settings_of_env_and_of_the_command_line(checkout):
    """The command line wins over the environment, which wins over `.env`, which wins over the script."""
    words = ("--time=24:00:00", "--exclusive", "slurm/grpo.sbatch", "--learning_rate", "5e-6", "--run_name", "a b")
    code, output, errors = run("submit.sh", *words, "--dry-run", root=checkout, SBATCH_QOS="long")
    assert (code, errors) == (0, "")
    text = (ROOT / "slurm/grpo.sbatch").read_text()
    text = text.replace("--gres=gpu:1", "--gres=gpu:a100:1").replace("--mem=32G", "--mem=64G")
    text = text.replace("--time=12:00:00", "--time=24:00:00")
    last = "#SBATCH --output=logs/slurm-%x-%j.out\n"
    text = text.replace(last, f"{last}#SBATCH --account=cs-503\n#SBATCH --qos=long\n#SBATCH --exclusive\n")
    settings = "--account=cs-503 --qos=long --gres=gpu:a100:1 --mem=64G --time=24:00:00 --exclusive"
    assert output == f"# sbatch {settings} slurm/grpo.sbatch --learning_rate 5e-6 --run_name a\\ b\n{text}"


def test_a_script_that_asks_for_no_gpu_gets_none(checkout):
    _, output, _ = run("submit.sh", "slurm/judge.sbatch", "--dry-run", root=checkout)
    assert "gpu" not in output.splitlines()[0]
    assert "#SBATCH --gres" not in output


@pytest.mark.parametrize(
    "words, message",
    [
        ((), "name a batch script: bash scripts/submit.sh slurm/grpo.sbatch; see --help"),
        (("--time=1:00:00",), "name a batch script"),
        (("slurm/gpro.sbatch",), "slurm/gpro.sbatch: no such batch script; there are: slurm/evaluate.sbatch"),
        (("-p", "gpu", "slurm/grpo.sbatch"), "'-p' before slurm/grpo.sbatch: write sbatch's options as --name=value"),
        (("--time", "1:00", "slurm/grpo.sbatch"), "'1:00' before slurm/grpo.sbatch: write sbatch's options as"),
        (("slurm/grpo.sbatch",), "no sbatch here: submit from a machine of the cluster; --dry-run works anywhere"),
    ],
)
def test_mistakes_in_submitting_a_job(words, message, tmp_path):
    for program in PROGRAMS:
        (tmp_path / program).symlink_to(shutil.which(program))
    code, output, errors = run("submit.sh", *words, PATH=str(tmp_path))
    assert (code, output) == (2, "")
    assert errors.startswith(f"error: {message}")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    "words, message",
    [
        ((), "name a study first: bash scripts/submit_study.sh configs/study/vsr.yaml; see --help"),
        (("--dry-run",), "name a study first"),
        (("configs/study/vrs.yaml",), "configs/study/vrs.yaml: no such study; there are: configs/study/bias.yaml"),
    ],
)
def test_mistakes_in_submitting_a_study(words, message):
    code, output, errors = run("submit_study.sh", *words)
    assert (code, output) == (2, "")
    assert errors.startswith(f"error: {message}")
    assert len(errors.splitlines()) == 1


def test_a_wrong_argument_for_snakemake():
    code, output, errors = run("submit_study.sh", "configs/study/vsr.yaml", "--dry-run", "--nonsense")
    assert (code, output) == (2, "")
    assert errors.splitlines()[-2:] == [
        "unrecognized arguments: --nonsense",
        "error: Snakemake cannot list the jobs of configs/study/vsr.yaml: see above",
    ]


def test_the_studys_dry_run_lists_each_job_with_what_it_asks_for(tmp_path):
    places = {"DATA_PATH": str(tmp_path / "data"), "OUT_PATH": str(tmp_path / "runs")}
    code, output, errors = run("submit_study.sh", "configs/study/vsr.yaml", "--dry-run", **places)
    assert code == 0, errors
    head, *jobs, empty, total = output.splitlines()
    assert head.split() == ["job", "GPUs", "CPUs", "memory", "limit", "expected"]
    asks = {re.split(r"  +", job)[0]: re.split(r"  +", job)[1:] for job in jobs}
    assert len(asks) == len(jobs) == 53
    assert asks[f"build {tmp_path}/data/vsr"] == ["0", "4", "8 GB", "4.0 h", "1.0 h"]
    assert asks["train smolvlm/grpo, seed 44"] == ["1", "8", "32 GB", "12.0 h", "12.0 h"]
    assert asks["merge qwen/sft, seed 42"] == ["1", "8", "32 GB", "1.0 h", "0.1 h"]
    hours = sum(float(expected.split()[0]) for gpus, *_, expected in asks.values() if gpus == "1")
    assert (empty, total) == ("", f"53 jobs, about {hours:.0f} GPU hours, by the guesses of configs/study/vsr.yaml")
