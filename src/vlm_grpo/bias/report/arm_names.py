"""What a run of the bias study is called: `[FAMILY/]METHOD[:LEVEL][@SEED]`, as in `sft:0.9@42` or `qwen/grpo:acc_0.69`.

Method and level are words of the reader's choice; runs that differ in the method alone are compared with each other. A
run without a level, such as `base`, was not trained on a level. Levels that are numbers go by value: 0.90 is 0.9.
"""

import re
from dataclasses import dataclass

from vlm_grpo.bias.level_names import canonical_level
from vlm_grpo.errors import UserError

PATTERN = re.compile(r"(?:(?P<family>[\w.-]+)/)?(?P<method>[\w.-]+)(?::(?P<level>[\w.-]+))?(?:@(?P<seed>\d+))?")


@dataclass(frozen=True, slots=True)
class ArmName:
    """The parts of a run's name; what it leaves out is None."""

    family: str | None
    method: str
    level: str | None
    seed: int | None

    def __str__(self) -> str:
        family = f"{self.family}/" if self.family else ""
        level = f":{self.level}" if self.level is not None else ""
        return f"{family}{self.method}{level}" + (f"@{self.seed}" if self.seed is not None else "")


def read_name(text: str) -> ArmName:
    """The parts of `text`; `UserError` when it is no such name."""
    match = PATTERN.fullmatch(text)
    if match is None:
        raise UserError(f"--arm {text}: expected a name like sft:0.9@42, that is [FAMILY/]METHOD[:LEVEL][@SEED]")
    level, seed = match["level"], match["seed"]
    return ArmName(
        match["family"],
        match["method"],
        canonical_level(level) if level is not None else None,
        int(seed) if seed is not None else None,
    )
