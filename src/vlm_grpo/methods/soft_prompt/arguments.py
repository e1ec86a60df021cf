"""The settings of a soft prompt: how many virtual tokens, what they start as, what they are taught to say."""

from dataclasses import dataclass, field
from typing import Literal

from vlm_grpo.errors import UserError
from vlm_grpo.methods.arguments import SFTArguments, StudyArguments
from vlm_grpo.methods.settings import SFT_NO_EFFECT
from vlm_grpo.ranges import AT_LEAST_1, SHARE, check_name, check_numbers

Start = Literal["text", "vocabulary", "random"]
STARTS = ("text", "vocabulary", "random")

_NO_LORA = "a soft prompt is all that trains"
NO_EFFECT = SFT_NO_EFFECT | {
    **dict.fromkeys(("lora_r", "lora_alpha", "lora_dropout", "full_finetuning"), _NO_LORA),
    "budget": "a soft prompt is not compared with GRPO step by step",
    "loss_type": "a soft prompt learns by cross-entropy, and from a teacher's logits with teacher_weight",
    "label_smoothing_factor": "teacher_weight is what softens the targets",
}


@dataclass
class PromptedStudyArguments(StudyArguments):
    """What is trained on, asked how; without LoRA."""

    def _settle_lora(self) -> None:
        """Nothing to settle."""


@dataclass
class SoftPromptArguments:
    """The soft prompt itself, and what it teaches the model to say."""

    virtual_tokens: int = field(default=20, metadata={"help": "Virtual tokens before every prompt; 5 to 50 are usual."})
    start: Start = field(
        default="vocabulary",
        metadata={
            "help": "What they start as: text (start_text's tokens, again and again), vocabulary (random tokens' "
            "embeddings), random (a normal distribution of unit variance, PEFT's default)."
        },
    )
    start_text: str | None = field(default=None, metadata={"help": "With start text: the words to start as."})
    target: str = field(
        default="bare",
        metadata={
            "help": "Assistant's text: a wording of the task (bare, tagged), or trace, a teacher's (the column)."
        },
    )
    teacher_weight: float = field(
        default=0.0,
        metadata={
            "help": "Share of the loss that is the distance from the teacher's likeliest tokens; above 0 needs a data "
            "set made with --logits."
        },
    )

    def __post_init__(self) -> None:
        check_numbers(self, {"virtual_tokens": AT_LEAST_1, "teacher_weight": SHARE})
        check_name("start", self.start, STARTS)
        if (self.start == "text") is not (self.start_text is not None):
            raise UserError("start_text goes with start: text, and start: text needs one; give both, or neither")
        if self.teacher_weight > 0 and self.target != "trace":
            raise UserError("teacher_weight learns from the teacher's logits of its traces; say target: trace")


TYPES = (PromptedStudyArguments, SoftPromptArguments, SFTArguments)
"""Where a config's keys belong."""
