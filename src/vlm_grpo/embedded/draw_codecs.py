"""Draw what is left of a mask once a codec has written it: rows of `tiny_grounding`, truth beside each codec's outline.

What a codec loses no model can win back. The page is that of a study's drawings.

    python -m vlm_grpo.embedded.draw_codecs --data data/tiny_masks --out results/embedded_grounding/codecs.html
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import atomic
from vlm_grpo.study import drawings
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.masks.codecs import CODECS
from vlm_grpo.tasks.masks.task import NAME, TASK

TITLE = "Masks, and what each codec keeps of them"


def written(row: Row, codec: str) -> Outcome:
    """What the mask of `row` is worth, written in `codec` and read back."""
    asked = row.model_copy(update={"meta": {**row.meta, "codec": codec}})
    return TASK.outcome(TASK.target(asked, "tagged"), asked, rule="strict")


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.embedded.draw_codecs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=user_path, default=Path("data/tiny_masks"), help="a data set of the task masks")
    parser.add_argument("--split", default="test")
    parser.add_argument("--out", type=user_path, required=True, metavar="FILE.html")
    given = parser.parse_args(arguments)
    rows = dataset.load(given.data, given.split)
    if any(row.task != NAME for row in rows):
        raise UserError(f"--data {given.data}: its rows are of the task {rows[0].task}, not of {NAME}")
    arms = {codec: {row.id: written(row, codec) for row in rows} for codec in CODECS}
    sheet = drawings.Sheet(rows=rows, arms=arms, root=given.data)
    atomic.write_text(given.out, drawings.render([sheet], title=TITLE))
    kept = {codec: sum(outcome.credit for outcome in outcomes.values()) / len(rows) for codec, outcomes in arms.items()}
    print(
        f"{given.out}: mean IoU of {len(rows)} masks: " + ", ".join(f"{name} {iou:.3f}" for name, iou in kept.items())
    )


if __name__ == "__main__":
    main()
