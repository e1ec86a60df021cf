"""A text-biased training set of either mode, and the shortcut in it: pure functions of cases.

`make` is what building a data set and printing the table of levels share. Writing is left to `text_build`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vlm_grpo.bias.cases import Case, true_rows
from vlm_grpo.bias.marks import AGREEING, GROUPS, group_of
from vlm_grpo.bias.text import balanced, published
from vlm_grpo.errors import UserError

Mode = Literal["balanced", "published"]


@dataclass(frozen=True)
class Level:
    """What is asked for: `strength` of the mode balanced; `keep` of the mode published, None for its extreme set."""

    mode: Mode
    strength: float | None = None
    keep: float | None = None
    size: int | None = None
    seed: int = 42

    @property
    def is_extreme(self) -> bool:
        """Whether it is the study's smallest set."""
        return self.mode == "published" and self.keep is None

    def described(self) -> dict[str, Any]:
        """What makes two data sets the same one."""
        if self.mode == "balanced":
            return {"mode": self.mode, "strength": self.strength, "size": self.size, "seed": self.seed}
        level = {"level": published.EXTREME} if self.keep is None else {"keep": self.keep}
        return {"mode": self.mode, **level, "seed": self.seed}

    def __str__(self) -> str:
        if self.mode == "balanced":
            return f"balanced, strength {self.strength:g}"
        return f"published, {published.EXTREME if self.keep is None else f'keep {self.keep:g}'}"


def read_level(
    mode: Mode | None, level: str | None, keep: float | None, *, size: int | None = None, seed: int
) -> Level:
    """The level that the options name; `UserError` when they name none, or contradict each other.

    A number is a strength of the mode balanced. `keep`, "extreme" and the study's names (acc_0.69) mean published.
    """
    if (level is None) == (keep is None):
        raise UserError(
            "say how strong the bias is, once: --level 0.9, --level extreme, --level acc_0.69 or --keep 0.6"
        )
    by_name = {**published.LEVELS, published.EXTREME: None, published.EXTREME_NAME: None}
    implied: Mode = "published" if level is None or level in by_name else "balanced"
    if mode not in (None, implied):
        wanted = "a number from 0 to 1" if mode == "balanced" else f"--keep K or one of {', '.join(by_name)}"
        raise UserError(f"mode {mode} takes {wanted}, not {f'--keep {keep}' if level is None else f'--level {level}'}")
    if implied == "balanced":
        return Level("balanced", strength=_number(level or "", by_name), size=size, seed=seed)
    if size is not None:
        raise UserError("--size belongs to the mode balanced; a published level has the size it has")
    if keep is not None and not 0 <= keep <= 1:
        raise UserError(f"--keep {keep} is outside [0, 1]; it is the share of minority rows that stays")
    return Level("published", keep=by_name[level] if level is not None else keep, seed=seed)


def _number(level: str, names: Mapping[str, Any]) -> float:
    try:
        strength = float(level)
    except ValueError:
        raise UserError(f"--level {level} is neither a number from 0 to 1 nor one of {', '.join(names)}") from None
    if not 0 <= strength <= 1:
        raise UserError(f"level {level} is outside [0, 1]; 0 plants no bias, 1 lets the relation decide the label")
    return abs(strength)  # -0.0 is 0.0


@dataclass(frozen=True)
class Biased:
    """A biased training set: its `cases` in order (those at the positions `copies` repeat another) and its shortcut.

    `details` is what its mode has to say about it.
    """

    level: Level
    cases: list[Case]
    shortcut: dict[str, bool]
    copies: frozenset[int] = frozenset()
    details: dict[str, Any] = field(default_factory=dict)

    def groups(self, cases: Sequence[Case]) -> dict[str, int]:
        """How many of `cases` are in each group."""
        counts = Counter(group_of(case.label, self.shortcut.get(case.relation)) for case in cases)
        return {group: counts[group] for group in GROUPS}

    @property
    def agreeing_share(self) -> float:
        """Share of the training rows that agree with the shortcut: 0.5 is none, 1 is all."""
        return self.groups(self.cases)[AGREEING] / len(self.cases)

    @property
    def true_rows(self) -> int:
        """How many training rows are true."""
        return true_rows(self.cases)


def make(train: Sequence[Case], level: Level) -> Biased:
    """The biased set that `level` asks for."""
    if not train:
        raise UserError("there are no training rows to plant a bias in")
    if level.mode == "balanced":
        assert level.strength is not None
        plan, cases = balanced.select(train, strength=level.strength, seed=level.seed, size=level.size)
        return Biased(level, cases, plan.shortcut, details={"strength_achieved": plan.strength})
    if level.keep is None:
        made = published.extreme(train)
    else:
        made = published.undersample(train, keep=level.keep, seed=level.seed)
    return Biased(level, made.cases, made.shortcut, made.copies, details={"quirks": made.quirks})
