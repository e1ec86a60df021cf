"""Draw how the gate keeps GRPO from copying: `python docs/images/draw_copying.py` writes `copying.svg` beside it.

Reads the rollouts of `bash scripts/quickstart.sh --study cryptogram`, and prints each share at the first and last
steps and where it is highest, each over five steps.
"""

from collections import defaultdict
from pathlib import Path
from statistics import mean

import matplotlib
from matplotlib.figure import Figure

from vlm_grpo.drawing import COLOURS
from vlm_grpo.rewards.decoding import is_decoded
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.cryptogram.decoding import chars_block

ROOT = Path(__file__).parents[2]
DATA, RUNS = ROOT / "data/tiny_cryptogram", ROOT / "runs/study/embedded_cryptogram"
ARMS = {"gated": "grpo", "ungated": "grpo_ungated"}
SHARES = {"the code is copied into <chars>": 0, "<chars> is decoded without a mistake": 1}
WINDOW = 5
"""Steps that the printed shares are means of."""


def shares(arm: str) -> list[tuple[float, float]]:
    """For each step the share of rollouts that copy the code, and of those that decode it."""
    rows = {row.id: row for row in dataset.load(DATA, "train")}
    steps: dict[int, list[tuple[bool, bool]]] = defaultdict(list)
    for line in jsonl.read(RUNS / arm / "42/train/completions.jsonl"):
        row, text = rows[line["row_id"]], line["text"]
        steps[line["step"]].append((chars_block(text) == row.meta["code"], is_decoded(text, row)))
    return [
        (mean(copied for copied, _ in rollouts), mean(right for _, right in rollouts)) for rollouts in steps.values()
    ]


def main() -> None:
    """Write the drawing and print the shares."""
    matplotlib.rcParams["svg.hashsalt"] = "copying"  # the same numbers give the same file
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    curves = {name: shares(arm) for name, arm in ARMS.items()}
    free = ("upper right", "lower right")
    for axis, (title, part), corner in zip(figure.subplots(1, 2, sharey=True), SHARES.items(), free, strict=True):
        for (name, steps), colour in zip(curves.items(), (COLOURS[3], COLOURS[1]), strict=True):
            values = [step[part] for step in steps]
            axis.plot(range(1, len(values) + 1), values, color=colour, linewidth=2, label=f"{name} decoding reward")
            means = [mean(values[at : at + WINDOW]) for at in range(len(values) - WINDOW + 1)]
            most = max(range(len(means)), key=means.__getitem__)
            over_time = f"{means[0]:.2f} at first, {means[most]:.2f} from step {most + 1}, {means[-1]:.2f} at last"
            print(f"{title}, {name}: {over_time}")
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlabel("step")
        axis.set_ylim(-0.02, 1.02)
        axis.grid(color="#dddddd", linewidth=0.7)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, loc=corner)
    figure.savefig(Path(__file__).with_name("copying.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
