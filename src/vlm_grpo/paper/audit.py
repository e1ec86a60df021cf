"""The audit of the published scores: every stored file recomputed, and what a label hides.

`markdown` is the report kept as `results/paper/audit.md`; `python alignment_judge/audit.py` makes it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.paper.findings import Finding, findings
from vlm_grpo.paper.recomputed import FIGURES, TOLERANCE, Recomputed, recompute
from vlm_grpo.tables import Table, to_markdown


def markdown(published: Mapping[str, Any]) -> str:
    """The whole report."""
    files = [recompute(score) for score in published["scores"]]
    good = sum(file.reproduced for file in files)
    sections = [
        "# Audit of the published scores",
        "Made by `python alignment_judge/audit.py` from `results/paper/published.json`, which names path and commit of "
        f"every file of `{published['source_repo']}` below.",
        f"{good} of {len(files)} stored score files are reproduced: every figure that a file stores equals the one "
        f"recomputed from its counts to within {TOLERANCE:g}. The arithmetic is right; what some labels say is not.",
        "## Findings",
        *(_finding(number, finding) for number, finding in enumerate(findings(published), start=1)),
        "## Every stored score file",
        to_markdown(_files(files)),
    ]
    return "\n\n".join(sections)


def _finding(number: int, finding: Finding) -> str:
    return f"**{number}. {finding.title}**\n\n" + "\n".join(f"- {line}" for line in finding.evidence)


def _files(files: Sequence[Recomputed]) -> Table:
    def both(file: Recomputed, name: str) -> str:
        return f"{file.ours[name]:.4f}" if name in file.stored else "not stored"

    lines = tuple(
        (
            file.name,
            f"{file.correct}/{file.n}",
            *(both(file, name) for name in FIGURES),
            f"< {TOLERANCE:g}" if file.reproduced else f"{file.largest_difference:.1e} DIFFERS",
        )
        for file in files
    )
    header = ("file below results/vsr", "correct/n", "accuracy", "CI low", "CI high", "precision", "recall", "F1")
    return Table(
        "Recomputed from the counts; the last column is the largest difference from what the file stores",
        (*header, "largest difference"),
        lines,
        (
            "precision, recall and F1 are weighted by class; an unparsed prediction is a class of its own",
            "counts are derived: the only ones that give the stored interval, precision and F1",
        ),
    )
