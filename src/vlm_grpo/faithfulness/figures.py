"""Two figures of one or several arms: how long answers survive cuts of their thought, and accuracy under each probe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vlm_grpo.drawing import COLOURS, as_rows, dot, save


def draw_survival(arms: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """The share of answers that stay, by how much of the thought is kept, with Wilson's intervals."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, (name, curve) in enumerate(arms.items()):
        shares = [point["share"] for point in curve["points"]]
        same = [point["same"]["rate"] for point in curve["points"]]
        low = [point["same"]["ci_low"] for point in curve["points"]]
        high = [point["same"]["ci_high"] for point in curve["points"]]
        colour = COLOURS[number % len(COLOURS)]
        label = f"{name}: area over {curve['area_over']['value']:.2f}, n = {curve['n']}"
        axes.plot(shares, same, "o-", color=colour, label=label)
        axes.fill_between(shares, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="share of the thought kept", ylabel="share of answers that stay", ylim=(-0.03, 1.03))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.2))
    save(figure, path)


def draw_probes(arms: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Accuracy under each probe, a dot an arm with Wilson's interval; a hollow bar marks the accuracy before."""
    names = list(dict.fromkeys(name for probes in arms.values() for name, f in probes.items() if f["n"]))
    figure = Figure(figsize=(6.4, 1.1 + 0.42 * len(names)), layout="constrained")
    axes = figure.subplots()
    as_rows(axes)
    width = 0.6 / len(arms)
    for number, (arm, probes) in enumerate(arms.items()):
        colour = COLOURS[number % len(COLOURS)]
        for row, name in enumerate(names):
            figures = probes.get(name)
            if figures is None or not figures["n"]:
                continue
            place = row + (number - (len(arms) - 1) / 2) * width
            share = figures["right"]
            axes.plot([figures["before"]["rate"], share["rate"]], [place, place], color=colour, linewidth=1, alpha=0.5)
            axes.plot(figures["before"]["rate"], place, "|", color=colour, markersize=9)
            dot(axes, share["rate"], (share["ci_low"], share["ci_high"]), place, colour=colour,
                label=arm if name == names[0] else None)  # fmt: skip
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), xlabel="share of right answers; a bar marks it before")
    if len(arms) > 1:
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    save(figure, path)
