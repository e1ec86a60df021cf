"""No warning about a renamed setting or argument reaches the user of a run, a merge or an evaluation."""

import inspect
import warnings

import pytest
import torch

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.renamed import cache_name, hush_renamed
from vlm_grpo.evaluation import __main__ as evaluate
from vlm_grpo.merge import command as merge
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft

COMMON = ["--per_device_train_batch_size", "2", "--max_steps", "1", "--save_strategy", "no", "--report_to", "none"]
GRPO = ["--num_generations", "2", "--max_completion_length", "3", "--beta", "0.04", "--loss_type", "grpo"]
METHODS = {
    "grpo": (grpo, [*GRPO, "--rollout_cache", "true", "--gradient_checkpointing", "false"]),
    "grpo with checkpointing": (grpo, GRPO),
    "sft": (sft, ["--prompt", "answer"]),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_warns_of_no_future(method, tiny_qwen, tmp_path):
    module, words = METHODS[method]
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(4, split="train"))
    where = ["--model", str(tiny_qwen), "--data", str(data), "--output_dir", str(tmp_path / "out")]
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        module.main([*where, *COMMON, *words])


def test_neither_does_what_comes_after(tiny_qwen, tmp_path):
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(4, split="train"), test=tiny_rows(2, split="test"))
    run, asked = tmp_path / "out", ["--data", str(data), "--split", "test", "--max_new_tokens", "3"]
    where = ["--model", str(tiny_qwen), "--data", str(data), "--output_dir", str(run)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        sft.main([*where, *COMMON, "--prompt", "answer"])
        merge.main(["--adapter", str(run / "final"), "--out", str(tmp_path / "merged"), "--dtype", "float32"])
        evaluate.main(["--model", str(tmp_path / "merged"), "--out", str(tmp_path / "of merged"), *asked])
        evaluate.main(
            ["--model", str(tiny_qwen), "--adapter", str(run / "final"), "--out", str(tmp_path / "apart"), *asked]
        )


def test_only_the_names_of_others_are_silenced():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        hush_renamed()
        warnings.warn(
            "`is_gradient_checkpointing` is deprecated and will be removed in v6.", FutureWarning, stacklevel=1
        )
        warnings.warn("`past_key_values` is deprecated and will be removed", FutureWarning, stacklevel=1)
        warnings.warn("`gradient_checkpointing` is deprecated", UserWarning, stacklevel=1)
    assert [warning.category for warning in shown] == [FutureWarning, UserWarning]


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_the_cache_has_the_name_that_the_model_takes(family, request):
    model = open_checkpoint(str(request.getfixturevalue(family))).load_model(dtype=torch.float32).base_model
    assert cache_name(model.forward) in inspect.signature(model.forward).parameters
    assert cache_name(lambda input_ids, cache=None: None) == "cache"
