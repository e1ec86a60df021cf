"""The flags that people paste: each of the table is read as ours, passed over, or refused in one sentence."""

import pytest

from vlm_grpo.config import setting_names
from vlm_grpo.errors import UserError
from vlm_grpo.methods.old_flags import OLD_FLAGS, ONLY_WITH, check_passed_over, translate
from vlm_grpo.methods.settings import GRPO_TYPES

READ = [
    ("--model_name_or_path org/name", "--model org/name"),
    ("--model_name_or_path=org/name", "--model org/name"),
    ("--torch_dtype bfloat16", "--dtype bfloat16"),
    ("--bf16", "--dtype bfloat16"),
    ("--bf16 true", "--dtype bfloat16"),
    ("--bf16 False", ""),
    ("--fp16", "--dtype float16"),
    ("--attn_implementation flash_attention_2", "--attention flash_attention_2"),
    ("--reward_funcs accuracy format", "--rewards accuracy format"),
    ("--warmup_ratio 0.03", "--warmup_steps 0.03"),
    ("--deepspeed configs/deepspeed/zero3.json", "--deepspeed configs/deepspeed/zero3.json"),
    ("--dataset_name this_is_not_used", ""),
    ("--dataset-name this_is_not_used", ""),
    ("--arrow_cache_dir x", ""),
    ("--lora_task_type CAUSAL_LM", ""),
    ("--data_seed 42", ""),
    ("--resume_from_checkpoint True", ""),
    ("--overwrite_output_dir false", ""),
    ("--use_peft true", ""),
    ("--use_peft", ""),
    ("--freeze_vision_modules true", ""),
    ("--is_reward_customized_from_vlm_module False", ""),
    ("--task_type gui", ""),
    ("--max_anyres_num 6", "--max_patches 6"),
    ("--use_vllm False", "--use_vllm False"),
]
REFUSED = [
    ("--max_prompt_length 1024", "prompts are never cut"),
    ("--resume_from_checkpoint False", "name another folder to start afresh"),
    ("--resume_from_checkpoint runs/checkpoint-100", "name another folder to start afresh"),
    ("--overwrite_output_dir", "name another --output_dir"),
    ("--logging_dir logs", "--report_to names a tracker"),
    ("--deepspeed local_scripts/zero3.json", "ours are configs/deepspeed/zero2.json"),
    ("--use_peft false", "say --full_finetuning all, or language"),
    ("--use_peft maybe", "expected true or false"),
    ("--freeze_vision_modules false", "--full_finetuning all trains the vision tower too"),
    ("--is_reward_customized_from_vlm_module true", "name them with --rewards"),
    ("--task_type rec", "--reward_method says how they are scored"),
]


@pytest.mark.parametrize("old, new", READ)
def test_what_means_something_here_is_read_and_told(old, new, capsys, monkeypatch):
    assert " ".join(translate(["--seed", "1", *old.split(), "--beta", "-0.5"])) == " ".join(
        f"--seed 1 {new} --beta -0.5".split()
    )
    told = capsys.readouterr().err
    assert told == ("" if new == old else f"{old.replace('=', ' ')}: {f'read as {new}' if new else 'passed over'}\n")
    monkeypatch.setenv("RANK", "1")
    translate(old.split())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("old, reason", REFUSED)
def test_what_means_nothing_here_is_refused_in_one_sentence(old, reason):
    with pytest.raises(UserError) as refused:
        translate(["--seed", "1", *old.split(), "--beta", "0"])
    assert str(refused.value).startswith(f"{old}: ")
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "old, full, reason",
    [
        ("--freeze_vision_modules true", "all", "say --full_finetuning language"),
        ("--use_peft true", "all", "leave out full_finetuning"),
        ("--use_peft", "language", "leave out full_finetuning"),
        ("--freeze_vision_modules true", "language", None),
        ("--freeze_vision_modules=true", None, None),
        ("--use_peft true", None, None),
    ],
)
def test_what_is_passed_over_must_be_so_in_this_run(old, full, reason):
    words = ["--seed", "1", *old.split()]
    if reason is None:
        check_passed_over(words, full_finetuning=full)
    else:
        with pytest.raises(UserError, match=reason):
            check_passed_over(words, full_finetuning=full)
    assert ONLY_WITH.keys() <= OLD_FLAGS.keys()


def test_every_flag_of_the_table_is_tested_and_what_it_becomes_is_a_setting():
    tested = {old.split()[0].split("=")[0].removeprefix("--").replace("-", "_") for old, _ in (*READ, *REFUSED)}
    assert tested - {"use_vllm"} == OLD_FLAGS.keys()
    ours = {new.split()[0].removeprefix("--") for _, new in READ if new}
    assert ours <= setting_names(*GRPO_TYPES)
