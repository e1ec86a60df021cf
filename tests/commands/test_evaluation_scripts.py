"""`evaluate.sh` and `merge_lora.sh` as they are typed."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "script, more, message",
    [
        ("evaluate.sh", ["--limit", "7"], ["Qwen/Qwen2.5-VL-3B-Instruct", "limit: 7", "max_new_tokens: 512"]),
        pytest.param(
            *("SmolVLM/evaluate.sh", [], ["SmolVLM-Instruct", "answers: relaxed", "use_cache: default"]),
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            *("merge_lora.sh", ["--dtype", "float32"], ["vsr/qwen/grpo/final", "dtype: float32"]),
            marks=pytest.mark.nightly,
        ),
        ("SmolVLM/merge_lora.sh", [], ["vsr/smolvlm/grpo/merged", "dtype: auto"]),
    ],
)
def test_dry_run_tells_the_settings_and_writes_nothing(script, more, message, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DATA_PATH": str(tmp_path), "OUT_PATH": str(tmp_path)}
    words = ["bash", str(ROOT / "scripts" / script), "--dry-run", *more]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for shown in message:
        assert shown in done.stdout
    assert not any(tmp_path.iterdir())
