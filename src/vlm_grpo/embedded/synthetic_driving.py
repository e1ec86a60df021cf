"""`synthetic_driving`: rows of the task of that name on rendered roads, with several right options and named boxes.

Every row has a scene of its own (`driving_scenes`), and splits share no layout. Columns, wording, answers and rewards
are DrivingVQA's (`vlm_grpo.tasks.driving`); what is simpler is all of the picture. As in an exam's book, some
explanations are terse and name no box (`driving_questions.TERSE_SHARES`), mostly those of one of the two questions.

    python -m vlm_grpo.embedded.synthetic_driving --out data/synthetic_driving --seed 0
"""

import random
import time
from pathlib import Path

from vlm_grpo.embedded.driving_questions import DrivingQuestion, as_row, draw_question
from vlm_grpo.embedded.driving_scenes import DrivingScene, render
from vlm_grpo.embedded.rows_command import parser_of, rows_of
from vlm_grpo.embedded.scenes import POOLS
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest

SOURCE = {"name": "synthetic_driving", "revision": "1"}
DEFAULT_ROWS = {"train": 3000, "validation": 300, "test": 300}
MOST_ROWS = {"train": 20000, "validation": 2000, "test": 2000}


def draw_split(split: str, rows: int, *, seed: int) -> list[DrivingQuestion]:
    """`rows` questions of `split`, no scene twice."""
    if not 0 < rows <= MOST_ROWS[split]:
        raise UserError(f"--{split} {rows}: give 1 to {MOST_ROWS[split]} rows")
    rng = random.Random(f"synthetic_driving {split} {seed}")
    scenes: set[DrivingScene] = set()
    questions: list[DrivingQuestion] = []
    while len(questions) < rows:
        question = draw_question(rng, pool=split)
        if question.scene not in scenes:
            scenes.add(question.scene)
            questions.append(question)
    return questions


def build(out: Path, *, seed: int, rows: dict[str, int] | None = None) -> None:
    """Write pictures and data set under `out`; `rows` maps each split to its number of rows."""
    started = time.monotonic()
    rows = rows or DEFAULT_ROWS
    config = {"source": SOURCE, "seed": seed, "rows": rows}
    splits = {
        split: {f"{split}/{at:05d}": asked for at, asked in enumerate(draw_split(split, rows[split], seed=seed))}
        for split in POOLS
    }
    manifest.claim(out, {"kind": dataset.KIND, **config})
    for split, questions in splits.items():
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
        for name, question in questions.items():
            render(question.scene).save(out / f"images/{name}.png", format="PNG")
    dataset.save(
        out,
        {split: [as_row(name, asked) for name, asked in questions.items()] for split, questions in splits.items()},
        source=SOURCE,
        config=config,
        seconds=time.monotonic() - started,
        seeds={"data": seed},
    )


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = parser_of("synthetic_driving", description=__doc__, rows=DEFAULT_ROWS)
    given = parser.parse_args(arguments)
    build(given.out, seed=given.seed, rows=rows_of(given, DEFAULT_ROWS))
    print(f"{given.out}: " + ", ".join(f"{getattr(given, split)} {split}" for split in DEFAULT_ROWS))


if __name__ == "__main__":
    main()
