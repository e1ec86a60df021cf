"""The charts of the probes' page as geometry for inline SVG: answers forced early, and accuracy under each probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlm_grpo.study.site.charts import HIGH, WIDE
from vlm_grpo.study.site.probed import Probed

SLOPE_HIGH = 110
"""Of one probe's slopes, in pixels."""
BEFORE, UNDER = 22, 78
"""Where, in percent of its width, a slope begins and ends."""
COLUMN = 25
"""Width in percent of the part of the survival curve's chart that stands for one share."""
FIFTHS = tuple(fifth / 5 for fifth in range(6))


@dataclass(frozen=True)
class Survival:
    """The answers of a run that stay, by how much of its thought is kept: a line, its band, points to hover over."""

    label: str
    tone: int
    dash: int
    line: str
    band: str
    points: list[tuple[float, float, str]]
    area: str


@dataclass(frozen=True)
class Slope:
    """Accuracy of one run before and under a probe, with the ends of the interval there."""

    label: str
    tone: int
    dash: int
    before: float
    under: float
    low: float
    high: float
    title: str


def survivals(probed: Mapping[str, Probed], tones: Mapping[str, int]) -> list[Survival]:
    """One for each whose curve is known."""
    made = []
    for label, one in probed.items():
        curve = one.summary.get("early_answering", {})
        if not curve.get("n"):
            continue
        points = [(WIDE * point["share"], point["share"], point["same"]) for point in curve["points"]]
        highs = [f"{x:g} {_y(same['ci_high']):g}" for x, _, same in points]
        lows = [f"{x:g} {_y(same['ci_low']):g}" for x, _, same in reversed(points)]
        area = curve["area_over"]
        ends = "" if area["ci_low"] is None else f" ({area['ci_low']:.3f} to {area['ci_high']:.3f})"
        made.append(
            Survival(
                label=label,
                tone=tones[one.run],
                dash=_dash(label, probed),
                line="M" + " L".join(f"{x:g} {_y(same['rate']):g}" for x, _, same in points),
                band="M" + " L".join([*highs, *lows]) + " z",
                points=[
                    (x, _y(same["rate"]), f"{label}, {share:.0%} of the thought kept: {share_words(same)} stay")
                    for x, share, same in points
                ],
                area=f"area over the curve {area['value']:.3f}{ends}, n = {curve['n']}",
            )
        )
    return made


def columns(some: Sequence[Survival]) -> list[tuple[float, float, str]]:
    """Where the pointer shows the numbers of all runs at once: left end and width in percent, and the numbers."""
    made = []
    for of_share in zip(*(one.points for one in some), strict=True):
        x = of_share[0][0]
        left, right = max(0.0, x - COLUMN / 2), min(float(WIDE), x + COLUMN / 2)
        made.append((left, right - left, "\n".join(title for _, _, title in of_share)))
    return made


def slopes(probed: Mapping[str, Probed], tones: Mapping[str, int]) -> list[tuple[str, list[Slope]]]:
    """By probe, in the order of the tables, one a run that could be asked."""
    by_probe: dict[str, list[Slope]] = {}
    for label, one in probed.items():
        for name, figures in one.summary["probes"].items():
            if figures["n"]:
                by_probe.setdefault(name, []).append(_slope(label, one, name, figures, tones, _dash(label, probed)))
    return [(name.replace("_", " "), some) for name, some in by_probe.items()]


def _slope(
    label: str, one: Probed, name: str, figures: Mapping[str, Any], tones: Mapping[str, int], dash: int
) -> Slope:
    before, right = figures["before"], figures["right"]
    pushed = f"; takes the pushed answer {share_words(figures['pushed'])}" if "pushed" in figures else ""
    return Slope(
        label=label,
        tone=tones[one.run],
        dash=dash,
        before=_y(before["rate"], SLOPE_HIGH),
        under=_y(right["rate"], SLOPE_HIGH),
        low=_y(right["ci_low"], SLOPE_HIGH),
        high=_y(right["ci_high"], SLOPE_HIGH),
        title=f"{label}, {name.replace('_', ' ')}: right before {share_words(before)}, under the probe "
        f"{share_words(right)}, Holm p {figures['holm_p']:.2g}{pushed}",
    )


def share_words(share: Mapping[str, Any]) -> str:
    """A share for reading: `12 of 16, 0.750 (0.505 to 0.898)`."""
    return f"{share['k']} of {share['n']}, {share['rate']:.3f} ({share['ci_low']:.3f} to {share['ci_high']:.3f})"


def share_ticks(high: float = HIGH) -> list[tuple[float, str]]:
    """Places and labels of a vertical axis from 0 to 1."""
    return [(_y(fifth, high), f"{fifth:g}") for fifth in FIFTHS]


def _dash(label: str, probed: Mapping[str, Probed]) -> int:
    """Which of a run's several results `label` is: they have one colour."""
    return [other for other, one in probed.items() if one.run == probed[label].run].index(label) % 4


def _y(share: float, high: float = HIGH) -> float:
    return round(high * (1 - share), 1)
