"""Where reasoning ends and what follows: rules of tasks, cells and conditional shares, real completions counted."""

import json
from pathlib import Path

import pytest

from vlm_grpo.faithfulness.endings import Ending, compared, endings, quadrants
from vlm_grpo.judge import rules
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.registry import task_named
from vlm_grpo.tasks.view import View

COUNTING = Path(__file__).parents[3] / "shared" / "data" / "counting"
CLAIM = "Is the following statement true: The red circle is {} the blue square."
THOUGHTS = (
    "The red circle is in column 1, the blue square in column 4, so it is left.",
    "The red circle is in column 1, the blue square in column 4, so it is right.",
    "The red circle is in column 3, the blue square in column 2.",
    "The red circle is in row 3, the blue square in row 2, so it is below.",
    "I will guess.",
)


@pytest.mark.parametrize("relation", ["left of", "right of", "above", "below"])
@pytest.mark.parametrize("thought", THOUGHTS)
def test_the_synthetic_tasks_rule_agrees_with_the_rule_judge(relation, thought):
    row = Row(id="r", images=(), problem=CLAIM.format(relation), solution="True", task="synthetic_vsr")
    task = task_named("synthetic_vsr")
    end = task.counterfactuals_of(row).ends_on(thought, row, task.answer(row))
    verdict = rules.judge(row.problem, thought, "True")
    if end is None:
        assert verdict.type in ("missing_detail", "irrelevant")
    elif verdict.type != "contradiction" or "right" not in thought:  # the judge holds places against conclusions
        assert verdict.aligns is end


@pytest.mark.parametrize(
    "thought, end",
    [
        ("There are four distinct objects in the image: two blue biplanes and two cars.", 4),
        ("First there is one car. In all there are 7 items.", 7),
        ("The image contains three objects: a bus, a car, a bicycle.", 3),
        ("A. 10", 10),
        ("A. 10\nB. 9\nB. 9", 9),
        ("A. 10\nB. 8\nC. 7", None),
        ("There are several cars.", None),
        ("a van and a plane", None),
    ],
)
def test_what_a_count_ends_on(thought, end):
    row = Row(id="r", images=(), problem="How many?", solution="4", task="counting")
    task = task_named("counting")
    assert task.counterfactuals_of(row).ends_on(thought, row, task.answer(row)) == end


def ending(number: int, *, right: bool, consistent: bool | None, words: int = 5) -> Ending:
    thought = " ".join(f"{number}-{place}" for place in range(words))
    return Ending(str(number), right, consistent, (consistent is not None and "rule") or None, None, thought)


def test_cells_and_conditional_shares():
    read = [ending(i, right=i < 6, consistent=i not in (0, 6, 7)) for i in range(10)]
    read.append(Ending("x", False, None, None, "no thought before one answer", ""))
    figures = quadrants(read)
    assert {name: cell["k"] for name, cell in figures["cells"].items()} == {
        "consistent_right": 5,
        "consistent_wrong": 2,
        "inconsistent_right": 1,
        "inconsistent_wrong": 2,
    }
    assert (figures["inconsistent_if_right"]["k"], figures["inconsistent_if_right"]["n"]) == (1, 6)
    assert (figures["inconsistent_if_wrong"]["k"], figures["inconsistent_if_wrong"]["n"]) == (2, 4)
    assert (figures["right_if_consistent"]["k"], figures["right_if_consistent"]["n"]) == (5, 7)
    assert (figures["reasons"]["k"], figures["read"]["k"], figures["n"]) == (10, 10, 11)
    assert figures["missing"] == {"no thought before one answer": 1}
    assert (figures["median_words"], figures["distinct_4grams"]) == (5, 1.0)
    assert quadrants([*read, *read])["distinct_4grams"] == 0.5


def test_arms_are_compared_where_both_endings_are_known():
    first = [ending(i, right=True, consistent=i > 3) for i in range(8)]
    second = [ending(i, right=True, consistent=None if i == 0 else True) for i in range(8)]
    assert compared(first, second) == {"n": 7, "b": 3, "c": 0, "mcnemar_p": 0.25}


def test_a_judges_ending_serves_where_no_rule_reads_one():
    row = Row(id="r", images=(), problem="How many?", solution="4", task="counting")
    text = "<think> a van and a plane, twice </think> <answer> 4 </answer>"
    outcome = {"r": task_named("counting").outcome(text, row, rule="strict")}
    (unread,) = endings([row], {"r": text}, outcome)
    (read,) = endings([row], {"r": text}, outcome, judged={"r": 4})
    (on_none,) = endings([row], {"r": text}, outcome, judged={"r": None})
    assert (on_none.consistent, on_none.missing) == (None, "on no answer, says the judge")
    assert (unread.consistent, unread.missing) == (None, "no ending could be read")
    assert (read.consistent, read.reader) == (True, "judge")


@pytest.mark.skipif(not COUNTING.exists(), reason="the real completions are not here")
@pytest.mark.parametrize("name, reasons", [("legacy", 200), ("r1_200", 12)])
def test_real_completions_that_reason_are_counted(name, reasons):
    results = json.loads((COUNTING / f"completions_qwen2vl_2b_instruct_{name}.json").read_text())["results"]
    task = task_named("counting")
    rows, texts = [], {}
    for number, result in enumerate(results):
        solution = str(result["ground_truth"])
        rows.append(Row(id=str(number), images=(), problem="How many?", solution=solution, task="counting"))
        texts[str(number)] = result["model_output"]
    outcomes = {row.id: task.outcome(texts[row.id], row, rule="relaxed") for row in rows}
    figures = quadrants(endings(rows, texts, outcomes))
    assert figures["reasons"]["k"] == reasons
    assert sum(figures["missing"].values()) + figures["read"]["k"] == 200


def test_boxes_are_compared_in_the_frame_that_the_model_writes_them_in():
    """The outcome holds pixels; thought and answer are in thousandths alike."""
    row = Row(id="r", images=("a.png",), problem="Where is it?", solution="[0, 0, 100, 50]", task="rec")
    view = View(frame="thousandths", sizes=((200, 100),), shown=((200, 100),))
    for end, consistent in (("[0, 0, 500, 500]", True), ("[0, 0, 400, 500]", False)):
        text = f"<think> So it is {end}. </think> <answer> [0, 0, 500, 500] </answer>"
        outcome = task_named("rec").outcome(text, row, rule="strict", view=view)
        assert outcome.said == [0, 0, 100, 50]
        (read,) = endings([row], {"r": text}, {"r": outcome})
        assert read.consistent is consistent
