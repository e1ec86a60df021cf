"""Answers of which only a judge can tell whether they are right: asked once, kept in the evaluation's folder `judge`.

As in training, an answer in the reference's words is right, and none at all wrong, without asking. An evaluation tells
of every row whether it is right, so one without a verdict ends it in one line; the same command goes on.
"""

from collections.abc import Mapping, Sequence

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.rewards import llm
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.registry import for_judge, task_of


def check_judge(settings: EvaluationArguments, rows: Sequence[Row], *, where: str) -> None:
    """`UserError` where `rows` need a judge and none is named, or one is named for nothing."""
    needing = for_judge(rows)
    if needing and settings.judge_model is None:
        raise UserError(f"{where} row {needing[0].id} leaves it to a judge what is right; name it with judge_model")
    if settings.judge_model is not None and not needing:
        raise UserError(f"setting 'judge_model' has no effect: no row of {where} leaves it to a judge; remove it")


def graded(
    generations: Mapping[str, Generation], rows: Sequence[Row], settings: EvaluationArguments
) -> dict[str, Outcome]:
    """The outcomes of those of `rows` that need a judge, by id; `UserError` where one gets no verdict."""
    needing = for_judge(rows)
    if not needing:
        return {}
    from vlm_grpo.rewards.grading import open_grader  # the client of a server takes a second to import

    assert settings.judge_model is not None, "check_judge asks for it"
    grader = open_grader(
        settings.folder / "judge",
        model=settings.judge_model,
        base_url=settings.judge_base_url,
        max_cost=settings.judge_max_cost,
    )
    settled = {row.id: llm.settled(generations[row.id].text, row, settings.answers) for row in needing}
    open_ones = {row.id: llm.question(row, said) for row in needing if isinstance(said := settled[row.id], str)}
    grader.ask(list(open_ones.values()))
    credits = {id: grader.is_same(open_ones[id]) if id in open_ones else bool(said) for id, said in settled.items()}
    grader.close()
    unknown = [id for id, credit in credits.items() if credit is None]
    if unknown:
        raise UserError(
            f"{settings.judge_model} gives no verdict on {len(unknown)} of {len(needing)} answers, for example to row "
            f"{unknown[0]} ({settings.folder / 'judge'}); evaluate into another folder with another judge_model"
        )
    return {row.id: _outcome(row, generations[row.id].text, bool(credits[row.id]), settings) for row in needing}


def _outcome(row: Row, text: str, is_right: bool, settings: EvaluationArguments) -> Outcome:
    task = task_of(row)
    said = task.answer(row).read(text, settings.answers)
    return Outcome(said, task.truth(row), float(is_right), right=is_right)
