"""Counter-biased rows: those of a held-out split on which the shortcut points the wrong way.

The rule: of the rows that oppose the shortcut, as many true ones as false ones. All of the rarer label stay, the other
label's are drawn with the seed. On such rows following the shortcut is never right, and always saying True, or always
False, is right half of the time.
"""

from collections.abc import Mapping, Sequence

from vlm_grpo.bias.cases import Case, drawn_order
from vlm_grpo.bias.marks import OPPOSING, group_of

RULE = "rows that oppose the shortcut, as many true as false, the more frequent label drawn with the seed"


def counter_cases(cases: Sequence[Case], shortcut: Mapping[str, bool], *, seed: int) -> list[Case]:
    """The counter-biased part of `cases`, in their order; none where only one label opposes the shortcut."""
    opposing = [c for c in cases if group_of(c.label, shortcut.get(c.relation)) == OPPOSING]
    drawn = drawn_order(opposing, seed=seed)
    true, false = ([case.id for case in drawn if case.label is label] for label in (True, False))
    kept = min(len(true), len(false))
    ids = {*true[:kept], *false[:kept]}
    return [case for case in opposing if case.id in ids]
