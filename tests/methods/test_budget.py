"""The length of an SFT run beside a GRPO run, against what TRL's trainer really does."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refusals import refusal
from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import budget
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.store import jsonl, manifest

COMMON = """
model: {model}
data: {data}
output_dir: {out}
gradient_checkpointing: false
num_rows: 10
logging_steps: 1
save_strategy: "no"
"""
GRPO = COMMON + "num_generations: 2\nper_device_train_batch_size: 4\nmax_completion_length: 2\nnum_train_epochs: 2\n"
SFT = COMMON + "prompt: answer\ntarget: bare\nper_device_train_batch_size: 3\nnum_train_epochs: 1\n"


def settings(**changes: float) -> SimpleNamespace:
    defaults = {
        "max_steps": -1,
        "num_train_epochs": 2,
        "num_generations": 4,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 1,
        "num_iterations": 1,
        "steps_per_generation": 1,
        **changes,
    }
    batch = defaults["per_device_train_batch_size"] * defaults["steps_per_generation"]
    return SimpleNamespace(**defaults, generation_batch_size=batch)


def test_the_studys_settings():
    study = {"grpo": settings(), "sft": settings(per_device_train_batch_size=4), "rows": 1000, "processes": 1}
    assert budget.grpo_steps(study["grpo"], rows=1000) == 2000
    assert budget.sft_steps("samples", **study) == 500
    assert budget.sft_steps("steps", **study) == 2000


@given(
    rows=st.integers(8, 200),
    generations=st.integers(1, 4),
    prompts=st.integers(1, 4),
    iterations=st.integers(1, 3),
    batch=st.integers(1, 9),
)
def test_samples_show_each_row_as_often(rows, generations, prompts, iterations, batch):
    grpo_settings = settings(
        num_generations=generations, per_device_train_batch_size=generations * prompts, num_iterations=iterations
    )
    steps = budget.sft_steps(
        "samples", grpo=grpo_settings, sft=settings(per_device_train_batch_size=batch), rows=rows, processes=1
    )
    shown = 2 * (rows // prompts) * prompts
    assert shown <= steps * batch < shown + batch


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("budget") / "data", train=tiny_rows(12, split="train"))


def write(path: Path, text: str, **places: Path) -> str:
    path.write_text(text.format(**places))
    return str(path)


def test_both_methods_keep_step(tiny_qwen, data, tmp_path):
    reference = write(tmp_path / "grpo.yaml", GRPO, model=tiny_qwen, data=data, out=tmp_path / "grpo")
    config = write(tmp_path / "sft.yaml", SFT, model=tiny_qwen, data=data, out=tmp_path / "sft")
    more = ["--num_iterations", "2", "--gradient_accumulation_steps", "3", "--budget", "steps"]
    grpo.main(["--config", reference, *more])
    taken = manifest.read(tmp_path / "grpo")["counts"]["steps"]
    shown = len(jsonl.read(tmp_path / "grpo/completions.jsonl")) // 2
    for name, expected in (("steps", taken), ("samples", shown // 3)):
        out = tmp_path / name
        words = ["--config", config, "--budget", name, "--budget_config", str(tmp_path / "grpo/config.yaml")]
        sft.main([*words, "--output_dir", str(out)])
        written = manifest.read(out)
        assert written["counts"]["steps"] == expected
        assert written["config"]["budget"] == name
    assert shown == 2 * 6, "two epochs of the six rows that fill a batch"


@pytest.mark.parametrize(
    "more, message",
    [
        (("--budget", "samples"), "needs budget_config"),
        (("--budget", "rows"), "invalid choice: 'rows'"),
        (("--budget_config", "grpo.yaml"), "has no effect without a budget"),
        (("--budget", "steps", "--budget_config", "x", "--max_steps", "3"), "both say how long SFT trains"),
        (("--budget", "steps", "--budget_config", "nowhere.yaml"), "config nowhere.yaml: no such file"),
        (
            ("--budget", "steps", "--budget_config", "{grpo}", "--num_rows", "1"),
            "1 rows, and a batch of rollouts takes 2",
        ),
    ],
)
def test_mistakes_are_one_line(tiny_qwen, data, tmp_path, capsys, more, message):
    config = write(tmp_path / "sft.yaml", SFT, model=tiny_qwen, data=data, out=tmp_path / "sft")
    reference = write(tmp_path / "grpo.yaml", GRPO, model=tiny_qwen, data=data, out=tmp_path / "grpo")
    words = ["--config", config, *(word.format(grpo=reference) for word in more)]
    assert message in refusal(capsys, sft.main, words, alone=False)
    assert not (tmp_path / "sft").exists()
