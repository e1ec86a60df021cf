"""The configs of r1_vlm's runs: the same number of completions a step whatever the GPUs, and its published settings."""

from pathlib import Path

import pytest

from vlm_grpo.yaml_layers import read_layers

CONFIGS = Path(__file__).parents[2] / "configs"
LAYOUTS = {
    # config: GPUs that train, prompts a step, completions a prompt
    "digits/qwen_grpo": (1, 4, 15),
    "cryptogram/qwen_grpo": (1, 5, 9),
    "cryptogram/qwen_two_gpus_grpo": (2, 6, 9),
    "cryptogram/qwen_vllm_server_grpo": (3, 5, 9),
    "cryptogram/qwen_full_vllm_server_grpo": (3, 5, 9),
    "cryptogram/qwen_words_grpo": (1, 4, 15),
    "cryptogram/qwen_words_two_gpus_grpo": (2, 4, 15),
    "cryptogram/qwen_words_vllm_server_grpo": (3, 4, 15),
}


def values(name):
    return read_layers(CONFIGS / f"{name}.yaml").values


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_step_has_whole_groups_and_the_references_size(name):
    gpus, prompts, completions = LAYOUTS[name]
    read = values(name)
    step = gpus * read["per_device_train_batch_size"] * read["gradient_accumulation_steps"]
    assert read["num_generations"] == completions
    assert step == prompts * completions


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_all_of_its_runs_share(name):
    read = values(name)
    shared = ("loss_type", "lr_scheduler_type", "warmup_steps", "adam_beta2", "temperature", "num_train_epochs")
    assert [read[setting] for setting in shared] == ["grpo", "cosine", 0, 0.98, 1.0, 1]
    assert read["use_bias_correction_kl"] is False
    assert read["max_completion_length"] == (400 if completions_of(name) == 9 else 512)


def test_training_every_weight_has_its_own_learning_rate_and_reference():
    read = values("cryptogram/qwen_full_vllm_server_grpo")
    followed = (read["sync_ref_model"], read["ref_model_sync_steps"], read["ref_model_mixup_alpha"])
    assert followed == (True, 64, 0.9)
    assert (read["full_finetuning"], read["learning_rate"], read["beta"]) == ("all", 1e-6, 1e-3)


def completions_of(name):
    return LAYOUTS[name][2]


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name.startswith("cryptogram")])
def test_each_run_has_a_folder_of_its_own_and_gated_rewards(name):
    read = values(name)
    words = "words" in name
    expected = ["accuracy", "line_format"] if words else ["decoding", "correctness", "chars_format", "soft_correctness"]
    assert read["rewards"] == expected
    assert read["reward_weights"] == [1.0] * len(read["rewards"])
    assert read["data"].endswith("cryptogram_words" if words else "cryptogram")
    assert [other for other in LAYOUTS if values(other)["output_dir"] == read["output_dir"]] == [name]


@pytest.mark.parametrize("name", ["cryptogram/qwen_evaluate", "cryptogram/qwen_words_evaluate"])
def test_evaluation_is_greedy_and_controlled(name):
    read = values(name)
    assert (read["temperature"], read["max_new_tokens"], read["split"]) == (0.0, 512, "test")
    assert read["controls"] == ["blank", "other"]
