"""The scripts for biased data sets, as they are typed: VSR's rows, generated pictures, one training step each.

The rows are the study's captions where they are on disk, and else captions in their format.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from picture_server import serve_pictures
from vlm_grpo.bias.text import command as text
from vlm_grpo.bias.text import published
from vlm_grpo.bias.vision import command as vision
from vlm_grpo.rows.cues import PAINTERS, SETTINGS
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.vsr import command as vsr
from vsr_lines import line, write_lines

ROOT = Path(__file__).parents[2]
STUDY = ROOT.parent / "shared" / "data" / "vsr_zeroshot"
FAMILIES = {"qwen": ("scripts", "tiny_qwen"), "smolvlm": ("scripts/SmolVLM", "tiny_smolvlm")}
LEVELS = {"text": "0.5", "vision": "patch_1.0"}
FAST = {
    "grpo": [
        "--budget",
        "steps",
        "--num_generations",
        "2",
        "--per_device_train_batch_size",
        "2",
        "--max_completion_length",
        "4",
    ],
    "sft": ["--per_device_train_batch_size", "2"],
}
SHORT = ["--limit", "6", "--max_new_tokens", "2"]
ONE_STEP = ["--max_steps", "1", "--num_rows", "4", "--gradient_checkpointing", "false"]


def lines(address: str, first: int, pictures: int) -> list[dict]:
    """A true and a false caption of each picture, of two relations in turn."""
    return [
        line(f"{i}.png", address=address, caption=f"The cat {i} is {r} the mat.", label=label, relation=r)
        for i in range(first, first + pictures)
        for label, r in ((1, ("on", "under")[i % 2]), (0, ("under", "on")[i % 2]))
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of the scripts: VSR and a biased copy of each kind below DATA_PATH, nothing yet below OUT_PATH."""
    root = tmp_path_factory.mktemp("bias_scripts")
    data = root / "data"
    with pytest.MonkeyPatch.context() as patch, serve_pictures() as server:
        patch.setenv("NO_PROXY", "127.0.0.1")
        for name, first, pictures in (("train", 0, 16), ("dev", 16, 2), ("test", 18, 4)):
            write_lines(root / "made" / f"{name}.jsonl", lines(server.address, first, pictures))
        source = STUDY if STUDY.is_dir() else root / "made"
        from_server = ["--limit", "80", "--image-base-url", server.address]
        vsr.main(["--out", str(data / "vsr"), "--jsonl", str(source), *from_server])
    text.main(["--data", str(data / "vsr"), "--level", "0.5", "--out", str(data / "vsr_text_0.5")])
    cue = ["--cue", "patch", "--probability", "1.0"]
    vision.main(["--data", str(data / "vsr"), *cue, "--out", str(data / "vsr_vision_patch_1.0")])
    return {**os.environ, "DATA_PATH": str(data), "OUT_PATH": str(root / "runs"), "OMP_NUM_THREADS": "1"}


def run(place: dict[str, str], script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(ROOT / script), *words]
    return subprocess.run(command, env=place, capture_output=True, text=True, timeout=300)


def train(place: dict[str, str], family: str, method: str, kind: str, model: Path) -> Path:
    folder, _ = FAMILIES[family]
    script = f"{folder}/run_{method}_lora_{kind}_biased.sh"
    done = run(place, script, LEVELS[kind], "--model", str(model), *FAST[method], *ONE_STEP)
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(place["OUT_PATH"]) / "bias" / family / f"{method}_{kind}_{LEVELS[kind]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "family, kind",
    [
        pytest.param("qwen", "text", marks=pytest.mark.nightly),
        pytest.param("smolvlm", "vision", marks=pytest.mark.nightly),
        pytest.param("qwen", "vision", marks=pytest.mark.nightly),
        pytest.param("smolvlm", "text", marks=pytest.mark.nightly),
    ],
)
def test_both_methods_train_one_step_on_the_same_rows_and_are_evaluated(place, family, kind, request):
    folder, name = FAMILIES[family]
    model = request.getfixturevalue(name)
    runs = {method: train(place, family, method, kind, model) for method in ("grpo", "sft")}
    manifests = {method: manifest.read(path, kind=method) for method, path in runs.items()}
    assert {run_manifest["counts"]["steps"] for run_manifest in manifests.values()} == {1}
    assert (manifests["grpo"]["config"]["budget"], manifests["sft"]["config"]["budget"]) == ("steps", None)
    assert manifests["grpo"]["inputs"] == manifests["sft"]["inputs"], "the same base and the same rows"
    assert manifests["grpo"]["counts"]["trainable_parameters"] == manifests["sft"]["counts"]["trainable_parameters"]
    assert {Path(m["config"]["data"]).name for m in manifests.values()} == {f"vsr_{kind}_{LEVELS[kind]}"}

    only = ["--method", "sft", "--split", "test_counter"] if kind == "vision" else []
    script = f"{folder}/evaluate_{kind}_biased.sh"
    done = run(place, script, LEVELS[kind], *only, "--model", str(model), *SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    evaluated = [runs["sft"] / "test_counter"] if only else [runs[method] / "test" for method in runs]
    for path in evaluated:
        assert manifest.read(path, kind="evaluation")["inputs"]["adapter"] is not None
        assert len(jsonl.read(path / "generations.jsonl")) == 6


SCRIPTS = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "scripts").rglob("*_biased.sh"))


def test_there_are_twelve_scripts():
    assert len(SCRIPTS) == 12


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_and_missing_data_are_short(place, script, tmp_path):
    shown = run(place, script, "--help")
    assert shown.returncode == 0, shown.stderr
    assert f"bash {script} LEVEL" in shown.stdout
    level = "0.25" if "text" in script else "tint_0.25"
    missing = run(place, script, level)
    assert missing.returncode == 2
    assert len(missing.stderr.splitlines()) == 1
    kind = "text" if "text" in script else "vision"
    options = "--level 0.25" if kind == "text" else "--cue tint --probability 0.25"
    assert f"vsr_{kind}_{level} is not built" in missing.stderr
    command = missing.stderr.strip().split(": ", maxsplit=2)[2]
    assert command.startswith(f"python -m vlm_grpo.bias.{kind} --data {place['DATA_PATH']}/vsr --out ")
    assert command.endswith(options)
    {"text": text, "vision": vision}[kind].main([*shlex.split(command)[3:], "--dry-run"])


@pytest.mark.parametrize(
    "kind, spelled, built",
    [
        ("text", "0.50", "0.5"),
        pytest.param("text", ".5", "0.5", marks=pytest.mark.nightly),
        pytest.param("vision", "patch_1", "patch_1.0", marks=pytest.mark.nightly),
        pytest.param("vision", "patch_1.00", "patch_1.0", marks=pytest.mark.nightly),
    ],
)
def test_a_level_is_found_however_it_is_written(place, kind, spelled, built):
    done = run(place, f"scripts/run_sft_lora_{kind}_biased.sh", spelled, "--num_rows", "5", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"vsr_{kind}_{built}\n" in done.stdout.replace("'", "")
    assert f"sft_{kind}_{built}" in done.stdout


TEXT_LEVELS = [*published.LEVELS, published.EXTREME, published.EXTREME_NAME, "0", ".5", "0.9", "1", "1.0"]


@pytest.mark.parametrize(
    "kind, levels",
    [("text", TEXT_LEVELS), ("vision", [*SETTINGS, *(f"{cue}_{share}" for cue in PAINTERS for share in ("0.3", "1"))])],
)
def test_every_level_without_data_is_told_how_it_is_built(place, tmp_path, kind, levels):
    vsr_alone = {**place, "DATA_PATH": str(tmp_path)}
    (tmp_path / "vsr").symlink_to(Path(place["DATA_PATH"]) / "vsr")
    for level in levels:
        errors = run(vsr_alone, f"scripts/run_sft_lora_{kind}_biased.sh", level).stderr
        command = errors.strip().split(": ", maxsplit=2)[2]
        {"text": text, "vision": vision}[kind].main([*shlex.split(command)[3:], "--dry-run"])


@pytest.mark.parametrize(
    "kind, level",
    [
        ("text", "nope"),
        ("text", "1.5"),
        ("text", "acc_0.5"),
        ("vision", "nope"),
        ("vision", "nope_0.5"),
        ("vision", "tint"),
        ("vision", "patch_2"),
    ],
)
def test_a_level_that_means_nothing_suggests_no_command(place, kind, level):
    done = run(place, f"scripts/run_grpo_lora_{kind}_biased.sh", level)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"'{level}' is no {kind} level" in line
    assert "python" not in line


@pytest.mark.nightly
def test_the_studys_smallest_level_asks_for_its_five_rows(place):
    data = Path(place["DATA_PATH"])
    text.main(["--data", str(data / "vsr"), "--level", "extreme", "--out", str(data / "vsr_text_extreme")])
    for method in ("sft", "grpo"):
        shown = run(place, f"scripts/run_{method}_lora_text_biased.sh", "extreme", "--dry-run")
        assert shown.returncode == 0, shown.stderr
        assert re.search(r"^num_rows: 5 +# the command line$", shown.stdout, re.M)


@pytest.mark.parametrize(
    "script, words, message",
    [
        ("scripts/run_grpo_lora_text_biased.sh", (), "say which level first"),
        ("scripts/run_sft_lora_vision_biased.sh", ("../x",), "is no part of a folder's name"),
        ("scripts/evaluate_text_biased.sh", ("0.5", "--method", "dpo"), "--method is grpo, sft or base, not 'dpo'"),
    ],
)
def test_mistakes_are_one_line(place, script, words, message):
    done = run(place, script, *words)
    assert done.returncode == 2
    assert [message in line for line in done.stderr.splitlines()] == [True]


def test_the_budget_is_equal_samples_unless_said_otherwise(place):
    shown = run(place, "scripts/run_sft_lora_text_biased.sh", "0.5", "--dry-run", "--num_rows", "4").stdout
    assert "budget: samples" in shown
    assert "budget_config: " + str(ROOT / "configs/vsr/qwen_grpo.yaml") in shown


@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("batch", ["grpo", "sft", "evaluate"])
def test_batch_twins_ask_for_what_the_unbiased_ones_do_and_run_their_script(place, batch, kind):
    twin = f"slurm/{batch}_{kind}_biased.sbatch"
    text, other = ((ROOT / path).read_text() for path in (twin, f"slurm/{batch}.sbatch"))
    directives = [[line for line in t.splitlines() if line.startswith("#SBATCH")] for t in (text, other)]
    name = f"vlm-grpo-{batch}"
    assert directives[0] == [line.replace(name, f"{name}-{kind}-biased") for line in directives[1]]
    shown = subprocess.run(["bash", twin, "--help"], cwd=ROOT, env=place, capture_output=True, text=True, timeout=60)
    script = f"{'evaluate' if batch == 'evaluate' else f'run_{batch}_lora'}_{kind}_biased.sh"
    assert f"bash scripts/{script} LEVEL" in shown.stdout


def test_a_batch_job_is_told_where_the_next_result_will_be(place, tmp_path):
    runs = {**place, "OUT_PATH": str(tmp_path)}
    where = run(runs, "scripts/run_grpo_lora_text_biased.sh", "--where", "0.5").stdout
    assert where == f"{tmp_path}/bias/qwen/grpo_text_0.5\n"
    evaluation = ["scripts/evaluate_vision_biased.sh", "--where", "patch_1.0", "--method", "base"]
    for split in ("test", "test_cued", "test_counter", "test_counter"):
        folder = tmp_path / "bias/qwen/base_vision_patch_1.0" / split
        assert run(runs, *evaluation).stdout == f"{folder}\n", "the first that is not finished, or the last"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text("{}")
