"""GRPO with colocated rollouts from a real vLLM on a CPU (docs/fast_grpo.md says how to make its environment)."""

import importlib.util
import json

import pytest
import yaml

from vlm_grpo.methods.grpo import command as grpo

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]


@pytest.fixture(autouse=True)
def vllm_on_a_cpu(monkeypatch):
    """On a CPU vLLM packs its weights and could not take new ones; the cache it may have, in GB."""
    monkeypatch.setattr("vllm._custom_ops._supports_onednn", False)
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")


@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm"])
def test_two_steps_with_rollouts_from_vllm(tiny_data, tmp_path, capfd, family):
    settings = {
        "model": f"embedded:{family}",
        "data": str(tiny_data),
        "split": "validation",
        "output_dir": str(tmp_path / "run"),
        "num_generations": 2,
        "per_device_train_batch_size": 4,
        "max_completion_length": 8,
        "max_steps": 2,
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_max_model_length": 400,
        "report_to": "none",
    }
    config = tmp_path / "grpo.yaml"
    config.write_text(yaml.safe_dump(settings))
    grpo.main(["--config", str(config)])
    assert "prompt ids that are scored" in capfd.readouterr().err
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["counts"]["steps"] == 2
