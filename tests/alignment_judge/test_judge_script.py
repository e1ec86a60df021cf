"""The judge as people start it: script and batch script, from generations to tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

from guess_and_thought import ROWS, save_guess_and_thought
from vlm_grpo.store.provenance import REPOSITORY


def run(*words: object, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if "KEY" not in k}
    environment |= {"OMP_NUM_THREADS": "1", "VLM_GRPO_PYTHON": sys.executable}
    return subprocess.run(
        ["bash", *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_generations_become_tables_without_a_network(tmp_path):
    arguments = save_guess_and_thought(tmp_path)
    script = REPOSITORY / "scripts/run_judge.sh"
    done = run(script, "--judge", "rules", *arguments, "--out", tmp_path / "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "test: types of misalignment, judge rules" in done.stdout
    by_model = {row["model"]: row for row in json.loads((tmp_path / "out/tables/alignment.json").read_text())}
    assert (by_model["base"]["types"]["irrelevant"], by_model["grpo"]["misaligned"]) == (ROWS, 0)
    assert by_model["grpo"]["paired"][0]["p_mcnemar"] == 2 / 2**ROWS
    assert (tmp_path / "out/tables/misaligned_rates.png").exists()


def test_the_batch_script_needs_no_gpu_and_names_no_account():
    text = (REPOSITORY / "slurm/judge.sbatch").read_text()
    directives = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert not any(word in line for line in directives for word in ("gres", "account", "qos", "partition"))
    done = run("slurm/judge.sbatch", "--help")
    assert done.returncode == 0, done.stderr
    assert "--generations" in done.stdout


def test_judging_imports_no_training_package():
    probe = (
        "import sys; sys.argv = ['judge.py'];"
        "import vlm_grpo.judge.command, vlm_grpo.judge.batch;"
        "import vlm_grpo.verdicts.openai_api, vlm_grpo.verdicts.preflight;"
        "import vlm_grpo.paper.agreement_command, vlm_grpo.paper.audit_command, vlm_grpo.alignment.figures;"
        "print([name for name in ('torch', 'transformers', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
