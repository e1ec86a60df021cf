"""What a run writes down of how it asked its model, for the evaluation of its adapter (`adapters/asked.py`)."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_grpo.adapters import asked
from vlm_grpo.adapters.asked import Asked, picture_settings
from vlm_grpo.adapters.image_options import OPTIONS
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.tasks.answers.rules import Rule

READ_BY: Mapping[str, Rule] = {"bare": "bare", "yes_no": "bare_relaxed", "tagged": "strict"}
"""The rule that reads what SFT teaches, by the target's name."""


def asked_by(settings: Mapping[str, Any], processor: Any) -> Asked:
    """How the run with these resolved `settings` asked, through its `processor`."""
    return Asked(
        prompt=settings["prompt"],
        answers=settings["answers"] if "answers" in settings else READ_BY.get(settings["target"], "strict"),
        dtype=str(pick_dtype(settings["dtype"])).removeprefix("torch."),
        images={name: settings[name] for name in OPTIONS if settings.get(name) is not None},
        image_processor=picture_settings(processor),
        chat_template=processor.chat_template,
        environment=settings.get("environment"),
        max_tool_calling_iterations=settings.get("max_tool_calling_iterations"),
    )


def tell_other_pictures(base: Path, processor: Any) -> None:
    """Say on stderr where the `base`, itself a trained checkpoint, was shown pictures otherwise than this run does."""
    trained = asked.read(base)
    if trained is None:
        return
    now, then = picture_settings(processor), trained.image_processor
    differs = [
        f"{name} {now[name]} instead of {then[name]}" for name in then if now.get(name, then[name]) != then[name]
    ]
    if differs:
        print(
            f"the base was trained on other pictures ({base / asked.FILE}): {', '.join(differs)}",
            file=sys.stderr,
            flush=True,
        )
