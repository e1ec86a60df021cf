"""One body serves every family, bias and batch script: what people type sets a name and no more."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMOLVLM = sorted(path.name for path in (ROOT / "scripts/SmolVLM").glob("*.sh"))
BATCH = sorted(path.name for path in (ROOT / "slurm").glob("*.sbatch"))


def code_of(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


@pytest.fixture
def where(tmp_path: Path):
    """Tells the folder that a script would write to."""

    def ask(*words: str, **variables: str) -> str:
        places = {"DATA_PATH": str(tmp_path), "OUT_PATH": str(tmp_path), "VLM_GRPO_FAMILY": ""}
        done = subprocess.run(
            ["bash", *words, "--where"],
            cwd=ROOT,
            env=os.environ | places | variables,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.removeprefix(f"{tmp_path}/").rstrip("\n")

    return ask


def test_the_scripts_of_another_family_only_name_it():
    assert len(SMOLVLM) == 10
    for name in SMOLVLM:
        assert code_of(ROOT / "scripts/SmolVLM" / name) == [
            "export VLM_GRPO_FAMILY=smolvlm",
            f'source "$(dirname "${{BASH_SOURCE[0]}}")/../{name}"',
        ]
        assert len(code_of(ROOT / "scripts" / name)) == 1


@pytest.mark.parametrize("script", ["run_grpo_lora.sh", "run_sft_lora.sh", "merge_lora.sh", "evaluate.sh"])
def test_a_family_is_the_name_of_its_configs(script, where):
    qwen, smolvlm = where(f"scripts/{script}"), where(f"scripts/SmolVLM/{script}")
    assert qwen.startswith("vsr/qwen/")
    assert smolvlm == qwen.replace("qwen", "smolvlm")
    assert where(f"scripts/{script}", VLM_GRPO_FAMILY="smolvlm") == smolvlm
    assert where(f"scripts/{script}", VLM_GRPO_FAMILY="internvl") == qwen.replace("qwen", "internvl")
    assert where(f"scripts/SmolVLM/{script}", VLM_GRPO_FAMILY="qwen") == smolvlm, "the script's own name wins"


def test_a_soft_prompt_has_two_scripts_for_every_family(where):
    assert where("scripts/run_softprompt.sh", VLM_GRPO_FAMILY="internvl") == "vsr/internvl/soft_prompt"
    assert where("scripts/run_softprompt_output.sh", VLM_GRPO_FAMILY="smolvlm") == "vsr/smolvlm/soft_prompt_output"


def test_the_shared_bodies_can_be_typed_too(where):
    assert where("scripts/run.sh", "merge") == where("scripts/merge_lora.sh")
    asked = where("scripts/bias.sh", "text", "sft", "0.9", "--data", "x", VLM_GRPO_FAMILY="smolvlm")
    assert asked == "bias/smolvlm/sft_text_0.9"
    assert asked == where("scripts/SmolVLM/run_sft_lora_text_biased.sh", "0.9", "--data", "x")


@pytest.mark.parametrize("batch", BATCH)
def test_a_batch_script_is_its_directives_and_one_line(batch):
    (line,) = code_of(ROOT / "slurm" / batch)
    named = re.fullmatch(r'source "\$\{SLURM_SUBMIT_DIR:-\.\}/slurm/common\.sh" (?:--on-every-node )?(\S+) "\$@"', line)
    assert named, line
    assert named[1] == '""' if batch == "train.sbatch" else (ROOT / named[1]).is_file()


def test_the_template_asks_for_a_script():
    done = subprocess.run(
        ["bash", "slurm/train.sbatch"],
        cwd=ROOT,
        env=os.environ | {"VLM_GRPO_SCRIPT": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == "error: name the script: VLM_GRPO_SCRIPT=scripts/my_method.sh sbatch slurm/train.sbatch\n"


@pytest.mark.parametrize("words", [[], ["gpro"], ["--help"]])
def test_a_stage_that_there_is_not_is_one_line(words):
    done = subprocess.run(["bash", ROOT / "scripts/run.sh", *words], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no stage '")
    assert done.stderr.count("\n") == 1
