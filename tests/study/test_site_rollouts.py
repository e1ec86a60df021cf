"""Rollouts as the pages hold them: where a box was meant, what a group earned, and what only a judge can tell."""

from pathlib import Path

import pytest

from tiny_data import save_tiny_data
from vlm_grpo.rows.records import Row
from vlm_grpo.study.site.pictures import Shelf
from vlm_grpo.study.site.rollouts import rollouts
from vlm_grpo.study.site.source import Training
from vlm_grpo.tasks.rec.task import NAME

TRUTH = [28, 28, 84, 84]
VIEW = {"frame": "thousandths", "sizes": [[112, 112]], "shown": [[56, 56]]}


def held(root: Path, row: Row, lines: list[dict[str, object]], **config: object):
    data = save_tiny_data(root / "data", validation=[row])
    common = {"data": str(data), "split": "validation", "num_generations": len(lines), "answers": "strict"}
    written = [{"step": 1, "row_id": row.id, "images": [], "advantage": 0.0} | line for line in lines]
    shelf = Shelf(root / "site", mode="none", longest_side=1)
    return rollouts(Training("grpo", root, common | config, []), written, shelf, steps=None)


def boxed(text: str, **more: object) -> dict[str, object]:
    return {"text": f"<answer> {text} </answer>", "rewards": {"iou": 1.0}} | more


@pytest.fixture
def box():
    return Row(id="box", images=("images/red.png",), problem="Where is it?", solution=str(TRUTH), task=NAME)


def test_a_box_lies_where_the_models_view_says(box, tmp_path):
    run = held(tmp_path, box, [boxed("[250, 250, 750, 750]", view=VIEW), boxed("[0, 0, 100, 100]", view=VIEW)])
    right, wrong = run.chunks[0]["groups"][0]
    assert right["answer"] == str(TRUTH)
    assert right["shapes"] == [{"points": [28, 28, 84, 28, 84, 84, 28, 84]}]
    assert ("r" in right["marks"], "r" in wrong["marks"]) == (True, False)
    assert run.groups[0][4] == 1


def test_without_the_view_nobody_says_where_a_box_lies(box, tmp_path):
    run = held(tmp_path, box, [boxed(str(TRUTH))])
    (said,) = run.chunks[0]["groups"][0]
    assert said["as_said"] == 1
    assert "shapes" not in said
    assert run.groups[0][4] == -1


def test_a_group_earns_the_weighted_sum(box, tmp_path):
    rewards = [{"iou": 1.0, "format": 1.0}, {"iou": 0.0, "format": None}]
    lines = [boxed(str(TRUTH), rewards=of_one) for of_one in rewards]
    _, _, mean, spread, *_ = held(tmp_path, box, lines, reward_weights=[2.0, 0.5]).groups[0]
    assert (mean, spread) == (1.25, 2.5)


def test_what_a_judge_decides_is_shown_and_not_called_right(tmp_path):
    row = Row(
        id="j",
        images=(),
        problem="Why?",
        solution="<answer> Rain </answer>",
        task="jsonl",
        meta={"accu_reward_method": "llm"},
    )
    run = held(tmp_path, row, [boxed("Because of rain")])
    (said,) = run.chunks[0]["groups"][0]
    assert said["answer"] == "Because of rain"
    assert run.groups[0][4] == -1
