"""What a run writes down of how it asked its model, for the evaluation of its adapter (`adapters/asked.py`)."""

from collections.abc import Mapping
from typing import Any

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
    )
