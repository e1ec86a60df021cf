"""The columns of own records beside those that a row needs, made alike in all rows, as a data set stores them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 2**63 - 1


def alike(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every record with every column, in the order of their first occurrence; None where it has none.

    A column of texts, of truth values, of whole numbers or of fractions stays; one of lists, objects or several types
    becomes JSON text, of each of its values.

    >>> alike([{"a": 1}, {"a": "x", "b": 2}])
    [{'a': '1', 'b': None}, {'a': '"x"', 'b': 2}]
    """
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: _column([record.get(name) for record in records]) for name in names}
    return [{name: columns[name][row] for name in names} for row in range(len(records))]


def _column(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    is_small = all(abs(value) <= LARGEST for value in values if type(value) is int)
    if len(kinds) <= 1 and kinds <= {str, bool, int, float} and is_small:
        return values
    return [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
