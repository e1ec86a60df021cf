"""The task `synthetic_driving`: DrivingVQA's on rendered roads (`vlm_grpo.embedded.tiny_driving` builds them)."""

from dataclasses import replace

from vlm_grpo.tasks.driving.columns import SYNTHETIC
from vlm_grpo.tasks.driving.task import of_letters

TASK = replace(
    of_letters(SYNTHETIC, published=""),
    slices={"questions": "kind", "right letters": "right", "terse explanations": "terse"},
)
