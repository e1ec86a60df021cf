"""Plant `relation → label` at a chosen strength while everything else stays put.

Every relation is given one of the two labels, its shortcut label. A row agrees when it has that label. At strength s

    share of agreeing rows   (1 + s) / 2       0: the relation says nothing; 1: it says everything
    share of true rows       1 / 2             at every strength
    rows                     one number        at every strength, and each relation's share of them too

so that sets of different strength differ in nothing but the association. A relation gives at most as many rows as both
ends of the scale can be made of: all of its shortcut label at strength 1, half of each label at strength 0. Shortcut
labels are dealt out so that the rows behind either label are as many as possible (exactly, by dynamic programming; the
seed decides among equals). A relation with a single label gives one row, which agrees at every strength.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlm_grpo.bias.cases import Case, drawn_order, label_counts
from vlm_grpo.bias.text.apportion import apportion
from vlm_grpo.errors import UserError

Counts = Mapping[str, Counter[bool]]


@dataclass(frozen=True)
class Quotas:
    """How many rows of each relation are taken: `agreeing` with its label in `shortcut`, and `opposing` it."""

    shortcut: dict[str, bool]
    agreeing: dict[str, int]
    opposing: dict[str, int]

    @property
    def rows(self) -> int:
        """Size of the set."""
        return sum(self.agreeing.values()) + sum(self.opposing.values())

    @property
    def strength(self) -> float:
        """The strength that whole rows come to; differs from the one asked for by rounding."""
        return 2 * sum(self.agreeing.values()) / self.rows - 1


def select(cases: Sequence[Case], *, strength: float, seed: int, size: int | None = None) -> tuple[Quotas, list[Case]]:
    """The biased set and its plan: rows in a seeded order that does not depend on the order of `cases`.

    `size` (even) asks for fewer rows than there could be. `UserError` when the prior cannot be held at 50 %.
    """
    counts = label_counts(cases)
    made = plan(counts, strength=strength, seed=seed, size=size)
    left = {
        (relation, label): made.agreeing[relation] if label == shortcut else made.opposing[relation]
        for relation, shortcut in made.shortcut.items()
        for label in (True, False)
    }
    chosen = []
    for case in drawn_order(cases, seed=seed):
        if left[case.relation, case.label]:
            left[case.relation, case.label] -= 1
            chosen.append(case)
    return made, chosen


def plan(counts: Counts, *, strength: float, seed: int, size: int | None = None) -> Quotas:
    """How many rows of each relation and label make the set, from how many there are."""
    if not 0 <= strength <= 1:
        raise UserError(f"level {strength} is outside [0, 1]; 0 plants no bias, 1 lets the relation decide the label")
    shortcut = deal_shortcuts(counts, seed=seed)
    sides = {label: [r for r, dealt in shortcut.items() if dealt is label] for label in (True, False)}
    capacities = {relation: _capacity(counts[relation], label) for relation, label in shortcut.items()}
    half = _half(sides, capacities, size)
    rows: dict[str, int] = {}
    for side in sides.values():
        most = {relation: capacities[relation] for relation in side}
        quotas = {relation: half * capacity / sum(most.values()) for relation, capacity in most.items()}
        rows |= apportion(half, quotas, lower=dict.fromkeys(side, 1), upper=most)
    least = {r: max(0, rows[r] - counts[r][not label]) for r, label in shortcut.items()}
    agree = max(int(half * (1 + strength) / 2 + 0.5), *(sum(least[r] for r in side) for side in sides.values()))
    agreeing: dict[str, int] = {}
    for side in sides.values():
        quotas = {r: rows[r] * agree / half for r in side}
        agreeing |= apportion(agree, quotas, lower={r: least[r] for r in side}, upper={r: rows[r] for r in side})
    return Quotas(shortcut, agreeing, {r: rows[r] - agreeing[r] for r in shortcut})


def deal_shortcuts(counts: Counts, *, seed: int) -> dict[str, bool]:
    """A shortcut label for every relation, such that the smaller of the two sides has as many rows as possible.

    Where that leaves a side fewer rows than the other has relations, the best deal without this fault is sought, which
    takes longer; if there is none, the first stands.
    """
    dealt = _best_deal(counts, seed=seed, is_counting=False)
    return dealt if _is_balanced(dealt, counts) else _best_deal(counts, seed=seed, is_counting=True)


def _best_deal(counts: Counts, *, seed: int, is_counting: bool) -> dict[str, bool]:
    """By dynamic programming over relations in a seeded order.

    A state is the rows behind True, and the relations behind it if `is_counting`; of all ways to a state, the one with
    most rows behind False is kept.
    """
    rng = random.Random(f"shortcuts {seed}")
    relations = sorted(counts)
    rng.shuffle(relations)
    states: dict[tuple[int, int], tuple[int, tuple | None]] = {(0, 0): (0, None)}
    for relation in relations:
        reached: dict[tuple[int, int], tuple[int, tuple | None]] = {}
        for label in rng.sample((True, False), 2):
            if not counts[relation][label]:
                continue
            capacity = _capacity(counts[relation], label)
            for (on_true, number), (on_false, before) in states.items():
                state = (on_true + capacity * label, number + (label and is_counting))
                total = on_false + capacity * (not label)
                if state not in reached or total > reached[state][0]:
                    reached[state] = (total, (relation, label, before))
        states = reached

    def worth(state: tuple[int, int]) -> tuple[bool, int]:
        smaller = min(state[0], states[state][0])
        return not is_counting or smaller >= max(state[1], len(relations) - state[1]), smaller

    dealt = {}
    link = states[max(states, key=worth)][1]
    while link is not None:
        relation, label, link = link
        dealt[relation] = label
    return dict(sorted(dealt.items()))


def _is_balanced(dealt: Mapping[str, bool], counts: Counts) -> bool:
    """Whether either side has a row for every relation of the other, so that both can be cut to one size."""
    rows, relations = Counter[bool](), Counter(dealt.values())
    for relation, label in dealt.items():
        rows[label] += _capacity(counts[relation], label)
    return min(rows[True], rows[False]) >= max(relations.values())


def _capacity(labels: Counter[bool], shortcut: bool) -> int:
    """Most rows a relation can give at every strength alike; one where it has a single label."""
    return max(1, min(labels[shortcut], 2 * labels[not shortcut]))


def _half(sides: Mapping[bool, list[str]], capacities: Mapping[str, int], size: int | None) -> int:
    """Rows behind each label: half the set."""
    most = min(sum(capacities[relation] for relation in side) for side in sides.values())
    least = max(len(side) for side in sides.values())
    if most < least or not most:
        raise UserError(
            f"the relations' labels ({len(sides[True])} relations for True, {len(sides[False])} for False) cannot be "
            "balanced with every relation kept: half of the rows must come from relations that can be mostly True, "
            "half from relations that can be mostly False; give more rows or use --mode published"
        )
    if size is None:
        return most
    if size % 2 or not 2 * least <= size <= 2 * most:
        raise UserError(f"size {size}: give an even number from {2 * least} to {2 * most}, or leave it out for all")
    return size // 2
