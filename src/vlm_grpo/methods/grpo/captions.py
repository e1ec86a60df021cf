"""Training rows with captions that suggest the right or a wrong answer, so that the picture is to be looked at.

Before the question of a drawn row stands a caption as `faithfulness` probes with (`Counterfactuals.claim`), in the
prompt alone: rewards read the row as it was. A model that is taught on both learns that a caption may be wrong; arXiv
2602.12506 reports models that then withstand captions, not thoughts put into their mouths. Thoughts are not added: a
completion is what the model itself says, and a thought that began it would be missing from what rewards read.
"""

from collections.abc import Sequence
from random import Random

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import FRAME
from vlm_grpo.tasks.asking import with_caption
from vlm_grpo.tasks.registry import task_of


def captioned(rows: Sequence[Row], *, right: float, wrong: float, seed: int, where: str) -> list[Row]:
    """`rows`, of which a share `right` and another share `wrong` have a caption that suggests such an answer.

    Which rows these are, and which answer is wrong, is drawn with `seed`. `UserError` opened by `where` for a row whose
    answers lie in a picture, or that no wrong answer is known for.
    """
    counts = [round(share * len(rows)) for share in (right, wrong)]
    drawn = Random(f"{seed} captions").sample([row.id for row in rows], min(sum(counts), len(rows)))
    is_right = {id: place < counts[0] for place, id in enumerate(drawn)}
    told = {
        row.id: caption(row, is_right=is_right[row.id], seed=seed, where=where) for row in rows if row.id in is_right
    }
    return [with_caption(row, told[row.id]) if row.id in told else row for row in rows]


def caption(row: Row, *, is_right: bool, seed: int, where: str) -> str:
    """The caption of `row` that suggests its true answer, or the wrong one that its id and `seed` draw."""
    task = task_of(row)
    kind, truth, counterfactuals = task.answer(row), task.truth(row), task.counterfactuals_of(row)
    remedy = "leave out right_captions and wrong_captions"
    if FRAME in kind.asks:
        raise UserError(f"{where} row {row.id}: its answer lies in the picture, and no caption says those; {remedy}")
    answer = truth if is_right else counterfactuals.wrong(truth, row, Random(f"{seed} {row.id} wrong"))
    if answer is None:
        raise UserError(f"{where} row {row.id}: no wrong answer is known that a caption could say; {remedy}")
    return counterfactuals.claim(answer, row, kind)
