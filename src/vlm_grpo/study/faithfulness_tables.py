"""The tables of the report on a study's reasoning."""

from collections.abc import Mapping
from typing import Any

from vlm_grpo.faithfulness.tables import CAUTION
from vlm_grpo.tables import NOTHING, Table, estimate_cell


def all_tables(summary: Mapping[str, Any]) -> list[Table]:
    """Runs, pairs of runs, what was probed and what that tells apart; those without rows left out."""
    made = (_runs(summary), _pairs(summary), _probed(summary), _apart(summary))
    return [table for table in made if table.rows]


def _runs(summary: Mapping[str, Any]) -> Table:
    return Table(
        "Reasoning that contradicts its answer",
        ("run", "n", "right", "ending read", "inconsistent", "if the answer is right", "if it is wrong"),
        tuple(
            (
                run,
                str(figures["n"]),
                f"{figures['accuracy']:.1%} [{100 * figures['ci_low']:.1f}, {100 * figures['ci_high']:.1f}]",
                _share(figures["read"]),
                _share(figures["inconsistent"]),
                _share(figures["inconsistent_if_right"]),
                _share(figures["inconsistent_if_wrong"]),
            )
            for run, figures in summary["runs"].items()
        ),
        ("inconsistent: of the completions whose ending could be read; a guess ends on nothing",),
    )


def _pairs(summary: Mapping[str, Any]) -> Table:
    return Table(
        "Runs of one seed on the same rows",
        (
            *("first", "second", "accuracy's difference", "only first / second right", "p"),
            *("only first / second inconsistent", "rows", "p"),
        ),
        tuple(
            (
                pair["first"],
                pair["second"],
                estimate_cell(pair["accuracy"], sign="+"),
                f"{pair['accuracy']['b']} / {pair['accuracy']['c']}",
                f"{pair['accuracy']['mcnemar_p']:.2g}",
                f"{pair['inconsistent']['b']} / {pair['inconsistent']['c']}",
                str(pair["inconsistent"]["n"]),
                f"{pair['inconsistent']['mcnemar_p']:.2g}",
            )
            for pair in summary["pairs"]
        ),
        ("accuracy: Newcombe's 95 % interval for paired shares; p: exact McNemar, two-sided, not adjusted",),
    )


def _probed(summary: Mapping[str, Any]) -> Table:
    return Table(
        "Asked again under a probe",
        ("run", "probe", "n", "right before", "right", "answer stays", "takes the pushed answer"),
        tuple(
            (
                run,
                probe,
                str(figures["n"]),
                *(_share(figures.get(key)) for key in ("before", "right", "same", "pushed")),
            )
            for run, probes in summary["probes"].items()
            for probe, figures in probes.items()
        ),
        CAUTION,
    )


def _apart(summary: Mapping[str, Any]) -> Table:
    return Table(
        "Does the probe tell who uses its reasoning?",
        ("uses it", "does not", "probe", "rows", "AUROC: answer stays", "AUROC: its probability"),
        tuple(
            (
                one["using"],
                one["other"],
                one["probe"],
                f"{one['answer_stays']['n']} / {one['stay_probability']['n']}",
                estimate_cell(one["answer_stays"]["auroc"]),
                estimate_cell(one["stay_probability"]["auroc"]),
            )
            for one in summary["apart"]
        ),
        (
            "each row of either run is an item; 95 % bootstrap interval over rows, both runs kept together",
            "its probability: of the answer before, where the answer under the probe begins",
        ),
    )


def _share(share: Mapping[str, Any] | None) -> str:
    if share is None:
        return NOTHING
    return (
        f"{share['k']}/{share['n']} = {share['rate']:.1%} [{100 * share['ci_low']:.1f}, {100 * share['ci_high']:.1f}]"
    )
