"""Flags of VLM-R1's scripts and of older TRL as people paste them: what each is here, or why it is refused.

A flag that means something here becomes ours; one that asks for what is done anyway is passed over; all of these are
told. One that asks for what there is not is refused in one sentence. Config files are read strictly, as ever.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vlm_grpo.errors import UserError, tell
from vlm_grpo.paths import expand_word

Reading = Callable[[str, list[str]], list[str]]
"""(flag, its values) -> the words in its place; `UserError` where it is refused."""
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


def renamed(to: str) -> Reading:
    """Our flag of the same values."""
    return lambda flag, values: [f"--{to}", *values]


def passed_over(flag: str, values: list[str]) -> list[str]:
    """Nothing, whatever the values."""
    return []


def refused(reason: str) -> Reading:
    """Never taken."""

    def refuse(flag: str, values: list[str]) -> list[str]:
        raise UserError(f"{' '.join([flag, *values])}: {reason}")

    return refuse


def switch(*, on: Reading, off: Reading) -> Reading:
    """A flag that is true, false, or alone (true); other values are refused."""

    def read(flag: str, values: list[str]) -> list[str]:
        word = values[0].lower() if values else "true"
        if len(values) > 1 or word not in (*TRUE, *FALSE):
            return refused("expected true or false")(flag, values)
        return (on if word in TRUE else off)(flag, values)

    return read


def among(names: Sequence[str], *, otherwise: Reading) -> Reading:
    """Passed over with one of `names`, else read as `otherwise` says."""
    return lambda flag, values: [] if values in [[name] for name in names] else otherwise(flag, values)


def file_that_exists(flag: str, values: list[str]) -> list[str]:
    """The flag as it is, where its one value is a file; TRL reads it."""
    if len(values) == 1 and values[0].endswith(".json") and not Path(values[0]).is_file():
        refused("there is no such file; ours are configs/deepspeed/zero2.json, zero3.json, zero3_offload.json")(
            flag, values
        )
    return [flag, *values]


def precision(dtype: str) -> Reading:
    """A switch that asks for `dtype`."""
    return switch(on=lambda flag, values: ["--dtype", dtype], off=passed_over)


OLD_FLAGS: dict[str, Reading] = {
    "model_name_or_path": renamed("model"),
    "torch_dtype": renamed("dtype"),
    "bf16": precision("bfloat16"),
    "fp16": precision("float16"),
    "attn_implementation": renamed("attention"),
    "reward_funcs": renamed("rewards"),
    "warmup_ratio": renamed("warmup_steps"),
    "deepspeed": file_that_exists,
    "dataset_name": passed_over,
    "arrow_cache_dir": passed_over,
    "lora_task_type": passed_over,
    "data_seed": passed_over,
    "max_prompt_length": refused(
        "prompts are never cut, as that would cut pictures; ask for smaller ones with --max_pixels (Qwen) or "
        "--longest_edge (SmolVLM), or for fewer tiles with --max_patches (InternVL)"
    ),
    "resume_from_checkpoint": among(
        ("True", "true", "auto"),
        otherwise=refused(
            "a run goes on from the newest checkpoint in --output_dir; name another folder to start afresh"
        ),
    ),
    "overwrite_output_dir": switch(
        on=refused("nothing is overwritten; name another --output_dir, or remove the old one"), off=passed_over
    ),
    "logging_dir": refused("metrics.jsonl in --output_dir has all metrics; --report_to names a tracker"),
    "use_peft": switch(
        on=passed_over, off=refused("say --full_finetuning all, or language to leave the vision tower as it is")
    ),
    "freeze_vision_modules": switch(
        on=passed_over,
        off=refused("LoRA lies in the language tower alone; --full_finetuning all trains the vision tower too"),
    ),
    "is_reward_customized_from_vlm_module": switch(
        on=refused("rewards come by name and apply to every family; name them with --rewards"), off=passed_over
    ),
    "task_type": among(
        ("default", "gui", "gui_defect"),
        otherwise=refused(
            "own records are asked by one template, --prompt; --reward_method says how they are scored; boxes of "
            "referring expressions are a task of their own, see python -m vlm_grpo.tasks.rec --help"
        ),
    ),
    "max_anyres_num": renamed("max_patches"),
}


ONLY_WITH: dict[str, tuple[tuple[str | None, ...], str]] = {
    "use_peft": ((None,), "the run trains the weights themselves; leave out full_finetuning"),
    "freeze_vision_modules": (
        (None, "language"),
        "the run trains the vision tower too; say --full_finetuning language",
    ),
}
"""Of switches that are passed over when they are on: the values of `full_finetuning` with which it is so anyway."""


def translate(argv: Sequence[str] | None) -> list[str]:
    """The words of a command (`argv`, or the process's) with the old flags among them read as the table says."""
    translated: list[str] = []
    for name, words in _parts(argv):
        if name is None:
            translated += words
            continue
        flag, *values = words
        instead = OLD_FLAGS[name](flag, values)
        if instead != words:
            tell(f"{' '.join(words)}: {' '.join(['read as', *instead]) if instead else 'passed over'}")
        translated += instead
    return translated


def check_passed_over(argv: Sequence[str] | None, *, full_finetuning: str | None) -> None:
    """`UserError` where a switch in `argv` was passed over and the run, whose setting is given, does otherwise."""
    for name, (flag, *_) in _parts(argv):
        if name in ONLY_WITH and full_finetuning not in ONLY_WITH[name][0]:
            raise UserError(f"{flag}: {ONLY_WITH[name][1]}")


def _parts(argv: Sequence[str] | None) -> Iterator[tuple[str | None, list[str]]]:
    """Name in the table and words (flag, values) of each old flag, and each other word with no name."""
    words = [expand_word(word) for word in (sys.argv[1:] if argv is None else argv)]
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").replace("-", "_") if flag.startswith("--") else ""
        if name not in OLD_FLAGS:
            yield None, [word]
            continue
        values = [value] if equals else []
        while words and not words[0].startswith("--") and not equals:
            values.append(words.pop(0))
        yield name, [flag, *values]
