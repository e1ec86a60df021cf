"""The steps that are told before a run are those that it takes."""

import pytest

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.store import manifest

COMMON = "--per_device_train_batch_size 4 --gradient_checkpointing false --save_strategy no"
GRPO = f"{COMMON} --num_generations 2 --max_completion_length 2"


@pytest.mark.parametrize(
    "main, settings, told",
    [
        (grpo.main, GRPO, "2 prompts a step, 4 completions a step"),
        (
            grpo.main,
            f"{GRPO} --gradient_accumulation_steps 3 --num_train_epochs 2.5",
            "6 prompts a step, 12 completions",
        ),
        (grpo.main, f"{GRPO} --steps_per_generation 2 --num_iterations 2", "2 prompts a step, 4 completions a step"),
        (grpo.main, f"{GRPO} --gradient_accumulation_steps 3 --steps_per_generation 2", "6 prompts a step"),
        (sft.main, f"{COMMON} --gradient_accumulation_steps 2 --num_train_epochs 2", "8 rows a step"),
        (sft.main, f"{COMMON} --dataloader_drop_last true", "4 rows a step"),
    ],
)
def test_a_run_takes_the_steps_that_are_told(main, settings, told, tiny_smolvlm, tmp_path, capsys):
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(11, split="train"))
    words = [
        "--model",
        str(tiny_smolvlm),
        "--data",
        str(data),
        "--output_dir",
        str(tmp_path / "out"),
        *settings.split(),
    ]
    main([*words, "--dry-run"])
    step = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("# step:"))
    main(words)
    (preview,) = (line for line in capsys.readouterr().err.splitlines() if "steps an epoch" in line)
    assert preview.removeprefix("preview: ") == step.removeprefix("# step:   ")
    assert told in preview
    assert preview.endswith(f", {manifest.read(tmp_path / 'out')['counts']['steps']} steps in all")
