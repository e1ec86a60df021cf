"""Data files of the pages: a page opened from a disk may load scripts, but fetch nothing, so each is one call.

    site.put("answers-003", {...});

The value is JSON and never code: no text in it can end it.
"""

import json
from pathlib import Path
from typing import Any

from vlm_grpo.store import atomic
from vlm_grpo.store.encoding import well_formed

FOLDER = "data"


def written(name: str, value: Any) -> str:
    """The text of the data file `name`."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    safe = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("<", "\\u003c")
    return f'site.put("{name}",{well_formed(safe)});\n'


def write(site: Path, name: str, value: Any) -> int:
    """Write the data file `name` below `site` and return its size; a file that holds the same already is left alone."""
    content = written(name, value).encode()
    path = site / FOLDER / f"{name}.js"
    if not (path.exists() and path.read_bytes() == content):
        atomic.write_bytes(path, content)
    return len(content)


def chunked(values: list[Any], size: int) -> list[list[Any]]:
    """`values` in lists of `size`, the last one shorter."""
    return [values[start : start + size] for start in range(0, len(values), size)]
