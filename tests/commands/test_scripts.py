"""The commands people type, as they are typed: `--dry-run` on a fresh clone, one wrong argument, the study's graph."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAINING = [
    "run_grpo_lora.sh",
    pytest.param("run_grpo_vllm_server.sh", marks=pytest.mark.nightly),
    pytest.param("run_grpo_digits.sh", marks=pytest.mark.nightly),
    "run_grpo_cryptogram.sh",
    pytest.param("run_grpo_detection.sh", marks=pytest.mark.nightly),
    pytest.param("run_grpo_seg.sh", marks=pytest.mark.nightly),
    pytest.param("run_grpo_seg_lora.sh", marks=pytest.mark.nightly),
    "run_grpo_rec.sh",
    pytest.param("run_grpo_rec_lora.sh", marks=pytest.mark.nightly),
    pytest.param("run_grpo_sim2real.sh", marks=pytest.mark.nightly),
    "SmolVLM/run_sft_lora.sh",
]
BATCH = {
    "grpo.sbatch": "run_grpo_lora.sh",
    "sft.sbatch": "run_sft_lora.sh",
    "merge.sbatch": "merge_lora.sh",
    "evaluate.sbatch": "evaluate.sh",
}


def run(*words: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DATA_PATH": "", "OUT_PATH": "", **variables}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("script", TRAINING)
def test_dry_run_of_the_training_scripts_on_a_fresh_clone(script, tmp_path):
    done = run("bash", str(ROOT / "scripts" / script), "--dry-run", "--learning_rate", "3e-6", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "learning_rate: 3.0e-06" in done.stdout
    assert ("SmolVLM-Instruct" in done.stdout) == script.startswith("SmolVLM")
    assert ("loss_type: grpo" in done.stdout) == ("grpo" in script)
    assert not any(tmp_path.iterdir())


def test_another_config_replaces_the_default_one(tmp_path):
    config = ROOT / "configs/embedded/smolvlm_grpo.yaml"
    done = run("bash", str(ROOT / "scripts/run_grpo_lora.sh"), "--config", str(config), "--dry-run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "model: embedded:smolvlm" in done.stdout


def test_a_wrong_argument_is_one_line_and_code_2():
    done = run("bash", "scripts/run_sft_lora.sh", "--learning_rat", "1")
    assert done.returncode == 2
    assert "error: unknown setting '--learning_rat'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("script", ["equal_budget.sh", "vllm_cpu.sh"])
def test_scripts_for_one_figure_have_a_help_and_take_no_nonsense(script):
    help_shown = run("bash", f"scripts/dev/{script}", "--help")
    assert (help_shown.returncode, help_shown.stderr) == (0, "")
    assert f"bash scripts/dev/{script}" in help_shown.stdout
    wrong = run("bash", f"scripts/dev/{script}", "--nonsense")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: ")


@pytest.mark.parametrize("batch", BATCH)
def test_batch_scripts_run_the_scripts_and_name_no_account(batch):
    text = (ROOT / "slurm" / batch).read_text()
    directives = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert not any("--account" in line or "--qos" in line or "--partition" in line for line in directives)
    assert {"#SBATCH --gres=gpu:1", "#SBATCH --cpus-per-task=8", "#SBATCH --time=12:00:00"} <= set(directives)
    assert f"scripts/{BATCH[batch]}" in text
    assert (ROOT / "scripts" / BATCH[batch]).is_file()
    assert (ROOT / "scripts/SmolVLM" / BATCH[batch]).is_file()


def test_a_batch_script_runs_its_script():
    done = run("bash", "slurm/sft.sbatch", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "sft, dry run" in done.stdout


def test_a_batch_script_submitted_from_elsewhere_says_so(tmp_path):
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "common.sh").write_text((ROOT / "slurm/common.sh").read_text())
    done = run("bash", str(ROOT / "slurm/grpo.sbatch"), SLURM_SUBMIT_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "submit from the top of the vlm-grpo checkout" in done.stderr


def test_the_quickstart_lists_its_jobs(tmp_path):
    work = f"work={tmp_path}/work"
    results = f"results={tmp_path}/results"
    done = run(
        "bash", "scripts/quickstart.sh", "--dry-run", "--quiet", "host", "--config", work, results, "seeds=[1,2]"
    )
    assert done.returncode == 0, done.stderr
    counts = dict(
        line.split() for line in done.stdout.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit()
    )
    assert {name: counts[name] for name in ("train", "merge", "evaluate", "evaluate_base", "report", "judge")} == {
        "train": "12",
        "merge": "12",
        "evaluate": "12",
        "evaluate_base": "2",
        "report": "1",
        "judge": "2",
    }
    assert counts["bias_report"] == "1"
