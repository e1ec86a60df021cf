"""The settings of the fast path."""

from dataclasses import dataclass, field

from vlm_grpo.errors import UserError
from vlm_grpo.ranges import AT_LEAST_0, check_numbers

FAST = ("auto", "on", "off")
YAML_BOOLEANS = {"true": "on", "false": "off"}
"""What YAML makes of an unquoted on and off."""


@dataclass
class FastArguments:
    """Whether pictures and prompts are shared between the completions of a group."""

    fast: str = field(
        default="auto",
        metadata={
            "help": "Encode each picture once and read each prompt once: auto (where exact and worth it), on (refuse "
            "to run otherwise), off (TRL as it is)."
        },
    )
    fast_vision_mb: int = field(
        default=512, metadata={"help": "Picture features kept for later passes and epochs, in MiB."}
    )
    fast_chunk: int | None = field(
        default=None, metadata={"help": "Completions scored at once; unset: as many as fit into the GPU's memory."}
    )

    def __post_init__(self) -> None:
        self.fast = YAML_BOOLEANS.get(self.fast.lower(), self.fast)
        if self.fast not in FAST:
            raise UserError(f"unknown fast {self.fast!r}; known: {', '.join(FAST)}")
        if self.fast_chunk is not None and self.fast_chunk < 1:
            raise UserError(f"fast_chunk must be at least 1, got {self.fast_chunk}")
        check_numbers(self, {"fast_vision_mb": AT_LEAST_0})
