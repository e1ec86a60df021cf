"""Printed text tables read back by title, row and column, so that a later column changes nothing pinned."""

from typing import Any


def tables(printed: str) -> dict[str, Any]:
    """Printed text tables as {title: {first cell: {column: cell}}}: later versions may add rows and columns."""
    lines = printed.splitlines()
    read: dict[str, Any] = {}
    for number, line in enumerate(lines):
        if not line or set(line) - {"-", " "}:
            continue
        ends = [len(rule) for rule in line.split("  ")]
        starts = [sum(ends[:column]) + 2 * column for column in range(len(ends))]
        cut = [slice(start, start + end) for start, end in zip(starts, ends, strict=True)]
        header, *rows = [[text[part].strip() for part in cut] for text in _table(lines, number)]
        read[lines[number - 2]] = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    return read


def _table(lines: list[str], rule: int) -> list[str]:
    """The header above the line of dashes and the rows below it, up to a note, prose or an empty line."""
    body = [lines[rule - 1]]
    for line in lines[rule + 1 :]:
        if not line or line.startswith(("note: ", "only the first right: ")):
            break
        body.append(line)
    return body
