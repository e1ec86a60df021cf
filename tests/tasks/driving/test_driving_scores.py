"""What an evaluation tells of letters and boxes, from completions made by hand; and seeds with their spread."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driving_files import driving_folder
from tiny_generations import save_arm
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl
from vlm_grpo.study.report import main as report
from vlm_grpo.tasks.driving.command import main as build
from vlm_grpo.tasks.driving.task import example
from vlm_grpo.tasks.registry import task_named

VAN, OTHER_VAN, SIGN = "[10,20,50,50 white van]", "[100,50,130,80 white van]", "[150,5,170,25 sign]"


def said(answer, *boxes):
    return f"<think> I see {' and '.join(boxes) or 'nothing'}. </think> <answer> {answer} </answer>"


ANSWERS = {
    "good": (said("C, B", VAN, OTHER_VAN, SIGN), said("A, C", SIGN)),
    "half": (said("C", VAN, VAN, VAN), said("A")),
    "lost": (said("C and more"), said("A, B, C, D", "[0,0,200,100 sign]")),
}
"""Of two rows: what may I do (B, C); and two questions of one item (A, C)."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("driving")
    build(["--folder", str(driving_folder(root / "files")), "--out", str(root / "data"), "--split", "test"])
    ids = [row.id for row in dataset.load(root / "data", "test")]
    for name, texts in ANSWERS.items():
        save_arm(root / name, root / "data", dict(zip(ids, texts, strict=True)), split="test")
    return root


def scores(runs, name):
    return json.loads((runs / name / "scores.json").read_text())


def test_the_exams_score_needs_the_whole_set_and_f1_counts_letters(runs):
    good, half, lost = (scores(runs, name) for name in ("good", "half", "lost"))
    assert [one["correct"] for one in (good, half, lost)] == [2, 0, 0]
    assert [one["parse_rate"] for one in (good, half, lost)] == [1.0, 1.0, 0.5]
    keys = ("letter_precision", "letter_recall", "letter_f1")
    assert [good[key] for key in keys] == [1, 1, 1]
    assert [half[key] for key in keys] == pytest.approx([1, 1 / 2, 2 / 3]), "two of four letters"
    assert [lost[key] for key in keys] == pytest.approx([1 / 2, 1 / 2, 1 / 2]), "what cannot be read states none"
    assert {name: share["correct"] for name, share in good["questions"].items()} == {"1": 1, "2": 1}


def test_spoken_boxes_have_an_iou_precision_and_recall(runs):
    good, half, lost = (scores(runs, name) for name in ("good", "half", "lost"))
    keys = ("boxes_said", "boxes_repeated", "boxes_true", "box_iou", "box_precision", "box_recall")
    van = 40 * 30 / (40.5 * 30)
    assert [good[key] for key in keys] == pytest.approx([4, 0, 6, (van + 3) / 4, 1, 4 / 6])
    assert [half[key] for key in keys] == pytest.approx([1, 2, 6, van, 1, 1 / 6]), "said three times, it is one"
    assert [lost[key] for key in keys] == pytest.approx([1, 0, 6, 20 * 20 / (200 * 100), 0, 0])


def test_boxes_that_nobody_asked_for_are_kept_and_not_scored():
    row, task = example("driving"), task_named("driving")
    original = row.model_copy(update={"meta": {**row.meta, "boxes": "original"}})
    asked, unasked = (task.outcome(said("A, C", VAN), one, rule="strict") for one in (row, original))
    assert asked.evidence["boxes"] == unasked.evidence["boxes"] != []
    assert [task.figures([outcome])["box_recall"] for outcome in (asked, unasked)] == [0.0, None]


def test_outcomes_keep_the_boxes_and_are_read_back(runs):
    line = jsonl.read(runs / "half" / "outcomes.jsonl")[0]
    assert (line["said"], line["truth"], line["credit"]) == (["C"], ["B", "C"], 0.0)
    assert line["evidence"]["boxes"] == [{"bbox_2d": [10.0, 20.0, 50.0, 50.0], "label": "white van"}] * 3
    arm = open_arm(runs / "half")
    assert arm.outcomes[line["id"]].evidence == line["evidence"]
    assert task_named("driving").figures(list(arm.outcomes.values()))["boxes_repeated"] == 2


def test_seeds_stand_beside_each_other_with_their_spread(runs, tmp_path, capsys):
    arms = [
        f"--arm={name}={runs / folder}" for name, folder in (("sft", "lost"), ("grpo@32", "half"), ("grpo@42", "good"))
    ]
    report([*arms, "--out", str(tmp_path / "report")])
    printed = capsys.readouterr().out
    assert "F1, which the report calls accuracy" in printed
    assert "accuracy is the exam's score" in printed
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert summary["figures_spread"]["sft"] == {}
    assert summary["figures_spread"]["grpo"]["letter_f1"] == pytest.approx(
        {
            "mean": 5 / 6,
            "sd": 0.2357,
        },
        abs=1e-4,
    )
    assert (
        "| grpo | 2 | 1.000 ± 0.000 | 0.750 ± 0.354 | 0.833 ± 0.236 |" in (tmp_path / "report/summary.md").read_text()
    )


@given(right=st.sets(st.sampled_from("ABCD"), min_size=1), seed=st.integers(0, 99))
def test_a_counterfactual_is_another_set_of_letters(right, seed):
    row = example("driving", "".join(sorted(right)))
    task = task_named("driving")
    wrong = task.counterfactuals_of(row).wrong(task.truth(row), row, Random(seed))
    assert set(wrong) < set("ABCD") or wrong == list("ABCD")
    assert len(set(wrong) ^ right) == 1
    assert task.answer(row).same(task.answer(row).parse(task.answer(row).write(wrong), False), wrong)


def test_the_boxes_of_thoughts_are_drawn_beside_the_true_ones(runs, tmp_path):
    report([f"--arm=half={runs / 'half'}", "--out", str(tmp_path / "report")])
    page = (tmp_path / "report" / "drawings.html").read_text()
    assert page.count(">white van<") >= 3
    row, task = example("driving"), task_named("driving")
    assert [outline.label for outline in task.drawn(row)] == ["pedestrian", "red light", "car", "car"]
    unparsed = task.outcome(said("what?", SIGN), row, rule="strict")
    assert [(outline.label, outline.points[2]) for outline in task.drawn(row, unparsed)] == [("sign", (170.0, 25.0))]
