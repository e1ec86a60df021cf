"""What a shortcut says of a row, and so which group the row is in: the two columns of every biased data set.

`shortcut` is the answer that the planted bias suggests (true, false, or null where it suggests none), `bias_group` is
`agreeing` where that is the row's label, `opposing` where it is the other one, `neutral` where there is none.
"""

from typing import Any

SHORTCUT, GROUP = "shortcut", "bias_group"
AGREEING, OPPOSING, NEUTRAL = "agreeing", "opposing", "neutral"
GROUPS = (AGREEING, OPPOSING, NEUTRAL)


def group_of(label: bool, says: bool | None) -> str:
    """The group of a row with this label of which the shortcut says `says`."""
    if says is None:
        return NEUTRAL
    return AGREEING if says == label else OPPOSING


def marks(label: bool, says: bool | None) -> dict[str, Any]:
    """Both columns of such a row."""
    return {SHORTCUT: says, GROUP: group_of(label, says)}
