"""The figure of a probe: how often the label is told from one side of the rows, by part, with intervals."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.bias.probe.parts import PartScore
from vlm_grpo.drawing import as_rows, dot

COLOURS = ("#0072b2", "#d55e00")


def accuracies(scores: Sequence[PartScore]) -> Figure:
    """A line for each part and a dot for each probe, with Wilson's interval; ticks mark the commoner label's share."""
    parts = list(dict.fromkeys(score.part for score in scores))
    probes = list(dict.fromkeys(score.probe for score in scores))
    figure = Figure(figsize=(6.8, 1.4 + 0.45 * len(parts)), layout="constrained")
    axes = figure.subplots()
    for score in scores:
        number = probes.index(score.probe)
        place = parts.index(score.part) + 0.24 * (number - (len(probes) - 1) / 2)
        colour = COLOURS[number % len(COLOURS)]
        label = f"{score.probe} alone" if score.part == parts[0] else None
        dot(axes, score.accuracy, (score.ci_low, score.ci_high), place, colour=colour, label=label)
        if number == 0:
            middle = parts.index(score.part)
            axes.plot((score.commoner,) * 2, (middle - 0.32, middle + 0.32), color="#777777", linewidth=1.2, zorder=0)
    axes.set_yticks(range(len(parts)), map(escapes.figure, parts))
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("accuracy with Wilson's 95 % interval (grey: always the commoner label)")
    as_rows(axes)
    figure.legend(loc="outside upper left", ncols=len(probes), frameon=False, fontsize=9)
    return figure
