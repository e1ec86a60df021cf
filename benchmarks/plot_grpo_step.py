"""Draw how the gain of the fast GRPO step grows: `python benchmarks/plot_grpo_step.py SWEEP.json OUT.png`.

`SWEEP.json` comes from `grpo_step.py --sweep --json`. Dots are measured, lines are the ratio of multiply-adds.
"""

import argparse
import json
from typing import Any

from matplotlib.figure import Figure

from vlm_grpo.paths import user_path

PANELS = {
    "group": "completions a prompt (G)",
    "prompt": "prompt tokens, picture included",
    "completion": "completion tokens",
}
INK = "#1f5fa8"


def draw(results: list[dict[str, Any]]) -> Figure:
    """Three panels: the ratio of scoring and update over group size, prompt length and completion length."""
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    settings = [result["setting"] for result in results]
    base = {name: max((s[name] for s in settings), key=[s[name] for s in settings].count) for name in PANELS}
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for axis, (name, label) in zip(axes, PANELS.items(), strict=True):
        others = [other for other in PANELS if other != name]
        shown = [r for r in results if all(r["setting"][other] == base[other] for other in others)]
        shown.sort(key=lambda result: result["setting"][name])
        at = [result["setting"][name] for result in shown]
        axis.plot(at, [r["ratio_of_multiply_adds"] for r in shown], color="0.6", label="multiply-adds")
        axis.plot(at, [r["ratio_scoring_update"] for r in shown], "o", color=INK, label="measured")
        axis.axhline(1, color="0.3", linewidth=0.8, linestyle=":")
        axis.set_xscale("log", base=2)
        axis.set_xticks(at, [str(value) for value in at])
        axis.minorticks_off()
        axis.set_xlabel(label)
        axis.set_ylim(0, 1.1 * max(r["ratio_of_multiply_adds"] for r in results))
    axes[0].set_ylabel("TRL's cost over ours,\nscoring + update")
    axes[0].legend(frameon=False)
    fixed = f"otherwise G {base['group']}, prompt {base['prompt']}, completion {base['completion']}"
    figure.suptitle(f"size {results[0]['size']} on {results[0]['device']}; {fixed}", fontsize=10)
    return figure


def main() -> None:
    """Read the sweep, write the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=user_path)
    parser.add_argument("out", type=user_path)
    given = parser.parse_args()
    draw(json.loads(given.sweep.read_text())["sweep"]).savefig(given.out, dpi=120)


if __name__ == "__main__":
    main()
