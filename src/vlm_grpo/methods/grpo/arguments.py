"""The settings of what shapes advantages and watches the run."""

from dataclasses import dataclass, field
from typing import Literal

from vlm_grpo.ranges import AT_LEAST_0, POSITIVE, Range, check_name, check_numbers

ADVANTAGES = ("plain", "cubic")
RANK_ALPHA = Range(0, 2, above=True, below=True)
KL_ALARMS = ("off", "tell", "stop")


@dataclass
class WatchArguments:
    """How advantages are made, and what happens when the KL runs away (docs/watching.md, docs/faithfulness.md)."""

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

    constraints: list[str] = field(
        default_factory=list,
        metadata={
            "help": "Rewards whose mean must reach a level, REWARD=LEVEL each; a multiplier enforces it. They are "
            "computed without being named in rewards."
        },
    )
    constraint_rate: float = field(
        default=0.01, metadata={"help": "How fast a constraint's multiplier moves, by what its mean lacks, a rollout."}
    )
    constraint_max: float = field(default=5.0, metadata={"help": "Largest multiplier of a constraint."})
    constraint_start: float = field(default=0.0, metadata={"help": "Multiplier of each constraint at the start."})
    rank_right_by: str | None = field(
        default=None,
        metadata={
            "help": "A reward that ranks the right completions of a group, such as consistency: the better ones earn "
            "more, the others less. It is computed without being named in rewards."
        },
    )
    rank_alpha: float = field(default=0.5, metadata={"help": "How far apart the best and the last of them are."})

    def __post_init__(self) -> None:
        check_numbers(self, {"constraint_rate": AT_LEAST_0, "constraint_max": POSITIVE, "constraint_start": AT_LEAST_0})
        check_numbers(self, {"rank_alpha": RANK_ALPHA})
        check_name("advantages", self.advantages, ADVANTAGES)
        check_name("kl_alarm", self.kl_alarm, KL_ALARMS)
