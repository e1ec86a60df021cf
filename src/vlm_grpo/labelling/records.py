"""The file of labels: appended, fsynced, of several annotators, and edited by people.

A later label of an item replaces an earlier one of the same annotator; one with `undone` takes it back, so that nothing
is ever rewritten. Beside the label a record holds the annotator's `note`, the `seconds` the item was looked at and the
`time`, UTC.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlm_grpo.alignment.fields import check_fields
from vlm_grpo.labelling.work import Item, Key, Work
from vlm_grpo.store import jsonl


def read(path: Path, work: Work) -> dict[str, dict[Key, dict[str, Any]]]:
    """The labels of `path` that count, by annotator and item; none where there is no file yet.

    People edit labels: a last line counts without its newline too, which it gets here.
    """
    if not path.exists() or not path.stat().st_size:
        return {}
    numbered = list(jsonl.read_input(path))
    labels: dict[str, dict[Key, dict[str, Any]]] = {}
    for number, record in numbered:
        check_fields(record, f"{path} line {number}", *work.names, "annotator", *work.fields)
        of_annotator = labels.setdefault(record["annotator"], {})
        key = tuple(str(record[name]) for name in work.names)
        of_annotator.pop(key, None)
        if not record.get("undone"):
            of_annotator[key] = record
    if numbered and not path.read_bytes().endswith(b"\n"):
        jsonl.write(path, [record for _, record in numbered])
    return labels


def record_of(
    item: Item,
    names: Sequence[str],
    content: Mapping[str, Any],
    annotator: str,
    *,
    note: str = "",
    seconds: float | None = None,
) -> dict[str, Any]:
    """One label as it is stored."""
    return {
        **dict(zip(names, item.key, strict=True)),
        "annotator": annotator,
        **content,
        **({"note": note} if note else {}),
        **({} if seconds is None else {"seconds": round(seconds, 1)}),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
