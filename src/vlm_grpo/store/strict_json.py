"""JSON as the standard has it: no NaN, no infinity, no key twice in one object.

Python's reader takes all of these without a word: of two values the last one counts, and NaN compares false with
everything. Here they are a `ValueError` that says what is wrong, without the place, which the caller knows. Escaped
halves of surrogate pairs, which are no characters and could not be written again, are read as U+FFFD.
"""

import json
import math
from collections import Counter
from typing import Any

from vlm_grpo.store.encoding import well_formed

_SURROGATE = "\\ud"  # begins the escape of each half of a pair


def parse(text: str) -> Any:
    """The value of the JSON `text`.

    >>> parse('{"a": 1, "a": 2}')
    Traceback (most recent call last):
        ...
    ValueError: key 'a' is given twice
    """
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return _mended(value) if _SURROGATE in text.lower() else value


def repeated_key(text: str) -> str | None:
    """The first key that an object in the JSON `text` holds twice; None where there is none."""
    keys: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        keys.extend(_repeated(pairs))

    json.loads(text, object_pairs_hook=note)
    return keys[0] if keys else None


def render(value: Any) -> str:
    """`value` as indented JSON; `ValueError` for NaN and infinity."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError(f"key {_repeated(pairs)[0]!r} is given twice")
    return record


def _repeated(pairs: list[tuple[str, Any]]) -> list[str]:
    counts = Counter(key for key, _ in pairs)
    return [key for key, count in counts.items() if count > 1]


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no finite number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_mended(part) for part in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(part) for key, part in value.items()}
    return value
