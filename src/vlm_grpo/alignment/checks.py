"""Refuse verdicts that are not one whole split, unless a flag allows it and the table then says so.

duplicates   an item judged twice for one model (allowed: the first counts)
missing      a gap in numbered items (allowed: what is there counts); ids that are no positions have none
unequal      models judged on different items (allowed: paired tests use the items in common)
partial      another number of items than the split has (allowed: the table states both)
coverage     the share of items with a verdict, against a declared minimum
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import NoReturn

from vlm_grpo.alignment.items import JudgedItem, JudgedSplit
from vlm_grpo.errors import UserError

ALLOWANCES = ("duplicates", "missing", "unequal", "partial")
_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")


def check(split: JudgedSplit, *, allow: frozenset[str] = frozenset(), min_coverage: float = 0.95) -> JudgedSplit:
    """Return `split`, cleaned and annotated as far as `allow` (of `ALLOWANCES`) permits; otherwise `UserError`.

    `min_coverage` is a fraction in [0, 1]; coverage below full is noted, below the minimum refused.
    """
    for model in split.models:
        if not split.of(model):
            raise UserError(f"split {split.split}: no item of {model}; give a file with verdicts on it")
    split = _duplicates(split, "duplicates" in allow)
    split = _gaps(split, "missing" in allow)
    split = _unequal(split, "unequal" in allow)
    split = _size(split, "partial" in allow)
    return _coverage(split, min_coverage)


def _refuse(message: str, flag: str) -> NoReturn:
    raise UserError(f"{message}; mend the file, or pass --allow {flag} to go on and have the table say so")


def _duplicates(split: JudgedSplit, allowed: bool) -> JudgedSplit:
    seen: dict[tuple[str, str], JudgedItem] = {}
    repeated = 0
    for item in split.items:
        first = seen.setdefault((item.item, item.model), item)
        if first is item:
            continue
        repeated += 1
        if not allowed:
            _refuse(f"{item.where}: item {item.item} of {item.model} occurs twice", "duplicates")
    if not repeated:
        return split
    kept = replace(split, items=tuple(seen.values()))
    return kept.with_note(f"{repeated} duplicate verdicts left out (the first of each counts)")


def _gaps(split: JudgedSplit, allowed: bool) -> JudgedSplit:
    absent: dict[str, list[int]] = {}
    for model in split.models:
        gaps = _missing_positions({item.item for item in split.of(model)}, split.size)
        if gaps and not allowed:
            _refuse(f"split {split.split}: item {gaps[0]} of {model} is missing ({len(gaps)} in all)", "missing")
        if gaps:
            absent[model] = gaps
    for model, gaps in absent.items():
        split = split.with_note(f"{len(gaps)} items of {model} are missing, the first is {gaps[0]}")
    return split


def _missing_positions(names: Collection[str], size: int | None) -> list[int]:
    """The numbers that `names` lack where they number the items of a split from 0 or 1, ascending.

    Numbers that name pictures or questions elsewhere (COCO, VQAv2) are no positions: they lie far apart, or begin late.
    So are as many names as the split has items, however they are numbered.
    """
    if len(names) == size or not all(_POSITION.fullmatch(name) for name in names):
        return []
    numbers = set(map(int, names))
    first, last = min(numbers), max(numbers)
    if first > 1 or last > 2 * len(numbers):
        return []
    return sorted(set(range(first, last + 1)) - numbers)


def _unequal(split: JudgedSplit, allowed: bool) -> JudgedSplit:
    first, *others = split.models
    reference = {item.item for item in split.of(first)}
    for model in others:
        ids = {item.item for item in split.of(model)}
        different = reference ^ ids
        if different and not allowed:
            item = min(different)
            has, lacks = (first, model) if item in reference else (model, first)
            _refuse(
                f"split {split.split}: item {item} has a row for {has} and none for {lacks} "
                f"({len(different)} items differ)",
                "unequal",
            )
        if different:
            split = split.with_note(f"{first} and {model} differ in {len(different)} items; pairs are the items shared")
    return split


def _size(split: JudgedSplit, allowed: bool) -> JudgedSplit:
    if split.size is None:
        return split.with_note("size of the split not stated, so completeness was not checked")
    for model in split.models:
        count = len(split.of(model))
        if count == split.size:
            continue
        if not allowed:
            last = split.of(model)[-1].where
            message = f"split {split.split}: {count} items of {model} where the split has {split.size}"
            _refuse(f"{message} (last: {last})", "partial")
        split = split.with_note(f"partial: {count} of the split's {split.size} items for {model}")
    return split


def _coverage(split: JudgedSplit, minimum: float) -> JudgedSplit:
    for model in split.models:
        items = split.of(model)
        missing = [item for item in items if item.aligns is None]
        coverage = 1 - len(missing) / len(items)
        reasons = Counter((item.missing or "").partition(":")[0] for item in missing)
        why = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        if coverage < minimum:
            raise UserError(
                f"split {split.split}: coverage of {model} is {coverage:.1%}, below the declared {minimum:.1%} "
                f"({len(missing)} of {len(items)} verdicts missing: {why}); judge again what is missing or declare a "
                "lower --min-coverage"
            )
        if missing:
            split = split.with_note(f"coverage of {model}: {coverage:.1%} ({len(missing)} missing: {why})")
    return split
