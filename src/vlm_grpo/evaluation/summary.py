"""Scores as a table for people: one line an arm."""

from collections.abc import Mapping
from typing import Any

from vlm_grpo.tables import Table

HEADER = ("arm", "n", "correct", "accuracy", "95 % interval", "parsed", "F1", "said True", "cut off")


def summary_table(scores: Mapping[str, dict[str, Any]], *, title: str) -> Table:
    """The scores of each arm (name -> `scores.json`) in one table; shares are fractions."""
    return Table(
        title=title,
        header=HEADER,
        rows=tuple(
            (
                arm,
                str(s["n"]),
                str(s["correct"]),
                f"{s['accuracy']:.3f}",
                f"{s['ci_low']:.3f} to {s['ci_high']:.3f}",
                f"{s['parse_rate']:.3f}",
                f"{s['f1']:.3f}",
                str(s["predicted_true"]),
                f"{s['clip_rate']:.3f}",
            )
            for arm, s in scores.items()
        ),
    )
