"""The study's published figures, and how ours differ from them.

Source: `results/paper/published.json` (transcribed facts; the file names repository, path and commit of each).
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vlm_grpo.alignment.summary import Difference, Summary
from vlm_grpo.errors import UserError
from vlm_grpo.store.manifest import read_json
from vlm_grpo.store.provenance import REPOSITORY
from vlm_grpo.verdicts.kinds import PUBLISHED

PAPER = REPOSITORY / "results" / "paper"
SPLITS = ("train", "validation", "test")
MODELS = ("base", "grpo")
JUDGE = "o4-mini (taxonomy prompt)"


@cache
def load(paper: Path = PAPER) -> dict[str, Any]:
    """The published figures as one JSON object."""
    path = paper / "published.json"
    if not path.exists():
        raise UserError(f"{path} is missing; name the folder results/paper of a checkout with --paper")
    return read_json(path)


def split_rows(split: str, paper: Path = PAPER) -> int:
    """How many rows the split of VSR zero-shot has."""
    return int(load(paper)["vsr_counts"][split]["rows"])


def judged_rows(split: str, paper: Path = PAPER) -> int:
    """How many rows of the split the study's judge saw."""
    return int(_row(split, "base", paper)["total"])


def _row(split: str, model: str, paper: Path) -> Mapping[str, Any]:
    for row in load(paper)["alignment"]:
        if row["split"] == split and row["model"] == model:
            return row
    raise UserError(f"no published alignment figures for split {split!r}, model {model!r}; splits: {', '.join(SPLITS)}")


def differences(summary: Summary, paper: Path = PAPER) -> dict[str, Difference]:
    """Compare every figure that the study printed for this split and model; percentages to its two decimals.

    A rate without verdicts is no figure: only its counts are compared.
    """
    row = _row(summary.split, summary.model, paper)
    pairs: dict[str, tuple[float | None, float]] = {
        "correct": (summary.accuracy.k, row["correct"]),
        "total": (summary.total, row["total"]),
        "accuracy": (_percent(summary.accuracy.rate), row["accuracy_pct_printed"]),
        "misaligned": (summary.misaligned.k, row["misaligned"]),
        "misaligned_rate": (_percent(summary.misaligned.rate), row["misaligned_pct_printed"]),
        **{kind: (summary.types.get(kind, 0), row["types"][kind]) for kind in PUBLISHED},
    }
    return {
        name: Difference(name, theirs, round(ours - theirs, 2))
        for name, (ours, theirs) in pairs.items()
        if ours is not None
    }


def _percent(rate: float | None) -> float | None:
    return round(100 * rate, 2) if rate is not None else None


def simple_prompt(paper: Path = PAPER) -> list[dict[str, Any]]:
    """The published pairs of counts of the simple prompt: one record per (split, judge, run), base and GRPO together.

    Each record has `split, judge, run, total, base, grpo, base_percent, grpo_percent, note`. `total` is the size of the
    judged split; `ValueError` when a printed percentage is not its count over that.
    """
    rows = load(paper)["alignment_simple_prompt"]
    sizes = {split: judged_rows(split, paper) for split in SPLITS}
    records = []
    for base, grpo in zip(rows[::2], rows[1::2], strict=True):
        key = ("split", "judge", "run")
        if [base[k] for k in key] != [grpo[k] for k in key] or (base["model"], grpo["model"]) != MODELS:
            raise ValueError(f"published.json: {base} and {grpo} are not a pair")
        total = sizes[base["split"]]
        for row in (base, grpo):
            if round(100 * row["misaligned"] / total, 2) != row["misaligned_pct_printed"]:
                raise ValueError(f"published.json: {row} does not divide by {total}")
        records.append(
            {
                "split": base["split"],
                "judge": base["judge"],
                "run": base["run"],
                "total": total,
                "base": base["misaligned"],
                "grpo": grpo["misaligned"],
                "base_percent": base["misaligned_pct_printed"],
                "grpo_percent": grpo["misaligned_pct_printed"],
                "note": base.get("note", ""),
            }
        )
    return records
