"""The settings of what shapes advantages and watches the run."""

from dataclasses import dataclass, field
from typing import Literal

from vlm_grpo.ranges import check_name

ADVANTAGES = ("plain", "cubic")
KL_ALARMS = ("off", "tell", "stop")


@dataclass
class WatchArguments:
    """How advantages are shaped, and what happens when the KL runs away (docs/watching.md)."""

    advantages: Literal["plain", "cubic"] = field(
        default="plain",
        metadata={"help": "plain (as TRL computes them), or cubic: rare outcomes of a group weigh more."},
    )
    kl_alarm: Literal["off", "tell", "stop"] = field(
        default="tell",
        metadata={
            "help": "When the KL leaves its running median by 10 or 100 times: off, tell, stop (save, then end)."
        },
    )

    def __post_init__(self) -> None:
        check_name("advantages", self.advantages, ADVANTAGES)
        check_name("kl_alarm", self.kl_alarm, KL_ALARMS)
