"""The figure of a text bias: the share of true rows in every relation, before and after."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.bias.cases import Case, label_counts, true_rows
from vlm_grpo.drawing import as_rows

BEFORE, AFTER = "#999999", "#0072b2"


def label_shares(before: Sequence[Case], after: Mapping[str, Sequence[Case]]) -> Figure:
    """One panel for each biased set in `after`, by title; one line a relation, the most frequent on top.

    A grey dot is the relation's share before, a blue one after; its area grows with the number of rows.
    """
    source = label_counts(before)
    relations = sorted(source, key=lambda relation: (-source[relation].total(), relation))
    height = 1.4 + 0.19 * len(relations)
    figure = Figure(figsize=(2.6 + 2.1 * len(after), height), layout="constrained")
    panels = figure.subplots(1, len(after), sharey=True, squeeze=False)[0]
    for axes, (title, cases) in zip(panels, after.items(), strict=True):
        made = label_counts(cases)
        for place, relation in enumerate(relations):
            was = source[relation][True] / source[relation].total()
            axes.plot(was, place, "o", color=BEFORE, markersize=3.5, clip_on=False)
            if relation not in made:
                continue
            labels = made[relation]
            share = labels[True] / labels.total()
            axes.plot((was, share), (place, place), color=AFTER, linewidth=1, alpha=0.35, zorder=1)
            size = 10 + 90 * (labels.total() / max(counts.total() for counts in made.values()))
            axes.scatter(share, place, s=size, color=AFTER, alpha=0.85, linewidth=0, clip_on=False, zorder=3)
        prior = true_rows(cases) / len(cases)
        axes.axvline(prior, color=AFTER, linestyle="--", linewidth=1, zorder=0)
        axes.set_title(f"{title}\n{len(cases)} rows, {prior:.1%} true", fontsize=9)
        axes.set_xlim(-0.03, 1.03)
        axes.set_xticks((0, 0.5, 1), ("0", "½", "1"))
        axes.set_ylim(len(relations) - 0.4, -0.8)
        as_rows(axes)
    panels[0].set_yticks(
        range(len(relations)), [f"{escapes.figure(r)}  {source[r].total()}" for r in relations], fontsize=8
    )
    figure.supxlabel(
        "share of true rows (grey: before; blue: after, larger with more rows; dashed: all rows)", fontsize=9
    )
    return figure
