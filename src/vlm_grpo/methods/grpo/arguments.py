"""The settings of what watches a run."""

from dataclasses import dataclass, field
from typing import Literal

from vlm_grpo.ranges import check_name

KL_ALARMS = ("off", "tell", "stop")


@dataclass
class WatchArguments:
    """What happens when the KL runs away."""

    kl_alarm: Literal["off", "tell", "stop"] = field(
        default="tell",
        metadata={
            "help": "When the KL leaves its running median by 10 or 100 times: off, tell, stop (save, then end)."
        },
    )

    def __post_init__(self) -> None:
        check_name("kl_alarm", self.kl_alarm, KL_ALARMS)
