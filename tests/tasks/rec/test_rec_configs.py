"""The configs of `rec`: as many completions a step as VLM-R1 has, on one GPU and on eight, and evaluated as trained."""

from pathlib import Path

import pytest

from vlm_grpo.yaml_layers import read_layers

CONFIGS = Path(__file__).parents[3] / "configs" / "rec"


def values(name):
    return read_layers(CONFIGS / f"{name}.yaml").values


@pytest.mark.parametrize("name, gpus, longest", [("qwen_grpo", 8, 2048), ("qwen_one_gpu_grpo", 1, 512)])
def test_a_step_has_sixteen_prompts_of_eight_completions(name, gpus, longest):
    read = values(name)
    assert read["num_generations"] == 8
    assert gpus * read["per_device_train_batch_size"] * read["gradient_accumulation_steps"] == 16 * 8
    assert (read["rewards"], read["max_steps"], read["save_steps"]) == (["iou", "format"], 600, 100)
    assert (read["beta"], read["loss_type"], read["learning_rate"]) == (0.04, "grpo", 1e-5)
    assert (read["lora_r"], read["lora_alpha"], read["max_completion_length"]) == (64, 128, longest)


def test_evaluation_reads_answers_and_shows_pictures_as_training_does():
    trained, asked = values("qwen_one_gpu_grpo"), values("qwen_evaluate")
    for setting in ("model", "data", "prompt", "answers", "min_pixels", "max_pixels"):
        assert asked[setting] == trained[setting]
    assert asked["max_new_tokens"] == trained["max_completion_length"]
    assert (asked["temperature"], asked["split"]) == (0.0, "val")
