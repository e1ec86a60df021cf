"""The kinds of misalignment that a judge tells apart: named by its prompt, carried by its verdicts.

Kinds map a name to its meaning in one line, which may be empty; their order is the order of tables and figures. A judge
that is asked for no type has no kinds. Tables, figures, labels and agreement read them from the verdicts and need no
prompt file.
"""

import re
from collections.abc import Mapping
from typing import Any

from vlm_grpo.errors import UserError

Kinds = Mapping[str, str]

PUBLISHED: Kinds = {
    "contradiction": "the reasoning leads to the opposite of the final answer",
    "missing_detail": "the observation that would decide the relation is not there",
    "irrelevant": "the reasoning never gets to the relation that the claim is about",
    "other": "it fails in another way",
}
"""Those of the published tables, in their order (reference, section 10.2)."""
NONE: Kinds = {}

RESERVED = ("aligned", "misaligned")
"""What else an item may be."""
_WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def check(given: Any, where: str) -> dict[str, str]:
    """The kinds as a prompt file or a record tells them: name to meaning, or a list of names; None for no kinds.

    `UserError`, naming `where`, for anything else and for names that are no snake_case words, reserved or not unique.

    >>> check(["wrong_object", "other"], "own.yaml")
    {'wrong_object': '', 'other': ''}
    """
    if given is not None and not isinstance(given, list | dict):
        raise UserError(f"{where}: kinds is {given!r}; write names with their meanings, or a list of names")
    names = list(given or ())
    for name in names:
        if not isinstance(name, str) or not _WORD.fullmatch(name):
            raise UserError(f"{where}: the kind {name!r} is no snake_case word such as missing_detail; rename it")
        if name in RESERVED:
            raise UserError(f"{where}: {name!r} cannot be a kind, every verdict says that already; rename it")
        if names.count(name) > 1:
            raise UserError(f"{where}: the kind {name!r} is there twice; remove one")
    meanings = given if isinstance(given, dict) else dict.fromkeys(names, "")
    for name, meaning in meanings.items():
        if not isinstance(meaning, str) or "\n" in meaning.strip():
            raise UserError(f"{where}: the meaning of {name!r} is {meaning!r}; write it as one line of text")
    return {name: meaning.strip() for name, meaning in meanings.items()}


def of_record(record: Mapping[str, Any], where: str) -> dict[str, str]:
    """The kinds of a verdict: as it says, else (verdicts that say none) the published ones, or none without a type.

    The original's files and the first `verdicts.jsonl` do not say; `asks_type` is false where no type was asked.
    """
    if "kinds" in record:
        return check(record["kinds"], where)
    return dict(PUBLISHED if record.get("asks_type", True) else NONE)
