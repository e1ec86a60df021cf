"""A table of text cells, rendered as aligned text, Markdown or LaTeX (booktabs).

Cells are strings already formatted for reading, escaped here as each format needs; numbers for machines go to JSON and
CSV elsewhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vlm_grpo import escapes

NOTHING = "–"
"""The cell of what there is not."""


@dataclass(frozen=True, slots=True)
class Table:
    """A titled grid: `header` and `rows` have the same number of cells; `notes` are printed below."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if any(len(row) != len(self.header) for row in self.rows):
            raise ValueError(f"table {self.title!r} has rows of other than {len(self.header)} cells")


def estimate_cell(estimate: Mapping[str, Any] | None, *, sign: str = "") -> str:
    """The estimate's `value` with the ends of its interval (`ci_low`, `ci_high`), where it has one.

    `sign="+"` writes the sign of positive numbers too, as differences need it.
    """
    if estimate is None:
        return NOTHING
    form = f"{sign}.3f"
    low, high = estimate["ci_low"], estimate["ci_high"]
    ends = NOTHING if low is None else f"{low:{form}} to {high:{form}}"
    return f"{estimate['value']:{form}} ({ends})"


def to_text(table: Table) -> str:
    """Columns aligned with spaces, two between columns; the first column left, the others left as well."""
    lines = [tuple(map(escapes.one_line, line)) for line in (table.header, *table.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    body = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    body.insert(1, "  ".join("-" * width for width in widths))
    notes = (f"note: {escapes.one_line(note)}" for note in table.notes)
    return "\n".join([escapes.one_line(table.title), *body, *notes])


def to_markdown(table: Table) -> str:
    """A GitHub pipe table under a heading of third level."""
    header, *rows = ("| " + " | ".join(map(escapes.markdown, line)) + " |" for line in (table.header, *table.rows))
    rule = "| " + " | ".join("---" for _ in table.header) + " |"
    notes = [f"*{escapes.markdown(note)}*" for note in table.notes]
    return "\n".join(
        [f"### {escapes.markdown(table.title)}", "", header, rule, *rows, *(f"\n{note}" for note in notes)]
    )


def to_latex(table: Table) -> str:
    """A `table` environment with booktabs rules."""
    rows = [_latex_row(line) for line in (table.header, *table.rows)]
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{escapes.latex(' '.join([table.title + '.', *(note + '.' for note in table.notes)]))}}}",
            rf"\begin{{tabular}}{{{'l' * len(table.header)}}}",
            r"\toprule",
            rows[0],
            r"\midrule",
            *rows[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _latex_row(cells: tuple[str, ...]) -> str:
    row = " & ".join(map(escapes.latex, cells)) + r" \\"
    is_argument = row.lstrip().startswith(("[", "*"))  # of the command that ends the row above
    return f"{{}}{row}" if is_argument else row


RENDERERS: dict[str, Callable[[Table], str]] = {"text": to_text, "markdown": to_markdown, "latex": to_latex}
