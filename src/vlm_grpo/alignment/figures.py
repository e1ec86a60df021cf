"""The figures of an alignment table: misalignment rates with intervals, types stacked, correct × aligned.

Each function draws into a new `Figure` (no pyplot, no global state); `save` writes PNG and PDF without dates, so that
the same numbers give the same files.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.alignment.summary import QUADRANTS, Summary
from vlm_grpo.drawing import COLOURS

REST_COLOUR = "#999999"
_, _SFT, _GRPO, *_OTHERS = COLOURS
MODEL_COLOURS = (REST_COLOUR, _GRPO, _SFT, *_OTHERS)
"""Those of the study's figures, GRPO blue, and the base in a grey on which a black interval shows."""
MODEL_HATCHES = ("", "//", "..", "xx")
"""Tell models apart that share a colour."""
TYPE_COLOURS = ("#d55e00", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#cc79a7", "#f0e442")
"""Okabe and Ito's, which people with any colour vision tell apart."""
DARK = "#0072b2"
"""The one of them on which black is hard to read."""
HATCHES = ("///", "...", "xxx", "---")
"""Where there are more kinds than colours: the colours begin again with the next hatch, then with a denser one."""
LOWEST_NUMBERED = 0.035
"""Height of the lowest segment that has room for a number, as a share of the tallest bar."""
QUADRANT_COLOURS = dict(zip(QUADRANTS, ("#009e73", "#e69f00", "#56b4e9", "#d55e00"), strict=True))


def rates(summaries: Sequence[Summary]) -> Figure:
    """Misaligned share by split and model, with Wilson's 95 % interval."""
    splits, models = _keys(summaries)
    figure, axes = _canvas(f"Reasoning that does not entail the answer\njudge {summaries[0].judge}")
    width = 0.8 / len(models)
    for place, model in enumerate(models):
        for x, split in enumerate(splits):
            matching = [s for s in summaries if (s.split, s.model) == (split, model)]
            if not matching or matching[0].misaligned.rate is None or matching[0].misaligned.interval is None:
                continue
            rate, (low, high) = 100 * matching[0].misaligned.rate, matching[0].misaligned.interval
            at = x + (place - (len(models) - 1) / 2) * width
            again, colour = divmod(place, len(MODEL_COLOURS))
            style = {"color": MODEL_COLOURS[colour], "hatch": MODEL_HATCHES[again % len(MODEL_HATCHES)]}
            axes.bar(at, rate, 0.9 * width, **style, label=escapes.figure(model) if x == 0 else None)
            axes.errorbar(at, rate, [[rate - 100 * low], [100 * high - rate]], color="black", capsize=4, linewidth=1.2)
            axes.annotate(f"{rate:.1f}", (at, 100 * high), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    axes.set_xticks(range(len(splits)), map(escapes.figure, splits))
    axes.set_ylabel("misaligned (% of verdicts, Wilson 95 %)")
    axes.margins(y=0.15)
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    return figure


def types(summaries: Sequence[Summary]) -> Figure:
    """Kinds of misalignment, stacked, one bar per split and model; all in one where the judge was asked for no kind."""
    figure, axes = _canvas(f"Kinds of misalignment\njudge {summaries[0].judge}")
    counted = [s.types or {"misaligned": s.misaligned.k} for s in summaries]
    lowest = LOWEST_NUMBERED * max(s.misaligned.rate or 0.0 for s in summaries) * 100
    bottoms = [0.0] * len(summaries)
    for kind, style in type_styles(counted[0]).items():
        shares = zip(counted, summaries, strict=True)
        heights = [100 * types[kind] / s.misaligned.n if s.misaligned.n else 0.0 for types, s in shares]
        bars = axes.bar(range(len(summaries)), heights, 0.7, bottoms, label=escapes.figure(kind), **style)
        counts = [str(types[kind]) if height > lowest else "" for types, height in zip(counted, heights, strict=True)]
        axes.bar_label(bars, counts, label_type="center", fontsize=8, **_number_style(style))
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    _name_bars(axes, summaries)
    axes.set_ylim(0, 1.08 * max(bottoms) or 1)  # margins would end at a segment of no height on top of a bar
    axes.set_ylabel("share of verdicts (%)")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def type_styles(kinds: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colour and hatch of each kind, in order, no two alike; the kind called other is grey."""
    hatched = ({"hatch": hatch * i, "edgecolor": "white"} for i in count(1) for hatch in HATCHES)
    unused = ({"color": colour, **hatch} for hatch in chain([{}], hatched) for colour in TYPE_COLOURS)
    return {kind: {"color": REST_COLOUR} if kind == "other" else next(unused) for kind in kinds}


def _number_style(style: dict[str, str]) -> dict[str, Any]:
    """A number that can be read on a segment of `style`."""
    if "hatch" in style:
        return {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.5}}
    return {"color": "white" if style["color"] == DARK else "black"}


def quadrants(summaries: Sequence[Summary]) -> Figure:
    """Correct × aligned, stacked to 100 %, one bar per split and model."""
    figure, axes = _canvas(f"Is the answer right, and does the reasoning entail it?\njudge {summaries[0].judge}")
    bottoms = [0.0] * len(summaries)
    for cell in QUADRANTS:
        totals = [sum(s.quadrants.values()) for s in summaries]
        heights = [100 * s.quadrants[cell] / n if n else 0.0 for s, n in zip(summaries, totals, strict=True)]
        label = cell.replace("_", ", ")
        bars = axes.bar(range(len(summaries)), heights, 0.7, bottoms, color=QUADRANT_COLOURS[cell], label=label)
        numbers = zip(summaries, heights, strict=True)
        counts = [str(s.quadrants[cell]) if height > 100 * LOWEST_NUMBERED else "" for s, height in numbers]
        axes.bar_label(bars, counts, label_type="center", fontsize=8)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    _name_bars(axes, summaries)
    axes.set_ylim(0, 105)
    axes.set_ylabel("share of items (%)")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


FIGURES = {"misaligned_rates": rates, "misaligned_types": types, "correct_by_aligned": quadrants}


def save(summaries: Sequence[Summary], folder: Path) -> list[Path]:
    """Draw every figure of `FIGURES` and write it as PNG and PDF into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in FIGURES.items():
        figure = draw(summaries)
        for suffix, undated in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
            path = folder / f"{name}.{suffix}"
            figure.savefig(path, dpi=160, bbox_inches="tight", metadata=undated)
            written.append(path)
    return written


def _canvas(title: str):  # type: ignore[no-untyped-def]  # matplotlib's Axes is untyped here
    figure = Figure(figsize=(6.4, 4.0))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title("\n".join(map(escapes.figure, title.split("\n", 1))), fontsize=11, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _name_bars(axes, summaries: Sequence[Summary]) -> None:  # type: ignore[no-untyped-def]
    axes.set_xticks(
        range(len(summaries)), [f"{escapes.figure(s.split)}\n{escapes.figure(s.model)}" for s in summaries], fontsize=8
    )


def _keys(summaries: Sequence[Summary]) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(s.split for s in summaries)), list(dict.fromkeys(s.model for s in summaries))
