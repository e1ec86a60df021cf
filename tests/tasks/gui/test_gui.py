"""Screenshots before and after an action: VLM-R1's records as they are, drawn ones, and what a report says of them."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from own_records import draw
from vlm_grpo.evaluation.summary import arms_table
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tables import to_text
from vlm_grpo.tasks.gui import build, windows
from vlm_grpo.tasks.gui.questions import CLASSES, action_of
from vlm_grpo.tasks.gui.task import TASK

GUI = Path(__file__).parents[4] / "shared" / "data" / "gui_multi-image.jsonl"
REAL = pytest.mark.skipif(not GUI.is_file(), reason=f"the real file is not at {GUI}")


def constant_answer(rows, answer):
    """The scores of the same answer to all `rows`, as `scores.json` has them."""
    outcomes = [TASK.outcome(f"<answer> {answer} </answer>", row, rule="strict") for row in rows]
    right = sum(outcome.right for outcome in outcomes)
    shares = {"n": len(rows), "correct": right, "accuracy": right / len(rows), "ci_low": 0.0, "ci_high": 1.0}
    return {"task": "gui", **shares, "parse_rate": 1.0, **TASK.figures(outcomes)}


@REAL
def test_the_real_file_of_1797_rows_is_built_as_it_is_and_its_constant_answer_told(tmp_path, capsys):
    names = [name for line in GUI.read_text().splitlines() for name in json.loads(line)["image"]]
    draw(tmp_path / "images", "one.png", size=(8, 8))
    for name in names:
        (tmp_path / "images" / name).hardlink_to(tmp_path / "images/one.png")
    build.main(["--records", str(GUI), "--images", str(tmp_path / "images"), "--out", str(tmp_path / "gui")])
    assert "train: 1797 rows; 906 Operation No Response, 891 Unexpected Task Result" in capsys.readouterr().out
    rows = dataset.load(tmp_path / "gui", "train")
    assert Counter(row.meta["verb"] for row in rows)["click"] == 1152
    assert Counter(row.meta["source"] for row in rows)["GENERAL"] == 461
    assert all(len(row.images) == 2 and "<image>" not in row.problem for row in rows)
    scores = constant_answer(rows, "Operation No Response")
    assert (scores["constant"], scores["balanced"]) == (906 / 1797, 0.5)
    assert scores["absent"] == ["Virtual Keyboard Related Issue", "Navigation Logic Error", "No Defect"]
    table = to_text(arms_table({"constant": scores}, title="gui"))
    assert 'always answering "Operation No Response" gets 50.4%' in table
    assert "no row has Virtual Keyboard Related Issue or Navigation Logic Error or No Defect" in table


def test_drawn_rows_hold_every_answer_and_follow_from_the_seed(tmp_path, capsys):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build.main(["--drawn", "20", "--val_split_ratio", "0.25", "--seed", str(seed), "--out", str(tmp_path / name)])
    first, again, other = (dataset.load(tmp_path / name, "train") for name in "abc")
    assert first == again
    assert first != other
    held_out = dataset.load(tmp_path / "a", "validation")
    assert Counter(row.solution for row in (*first, *held_out)) == dict.fromkeys(CLASSES, 4)
    assert manifest.read(tmp_path / "a")["shared_images"] == {"train-validation": 0}
    assert all(action_of(row.problem) == row.meta["action"] for row in first)
    for row in (*first, *held_out):
        before, after = ((tmp_path / "a" / image).read_bytes() for image in row.images)
        assert (before == after) == (row.solution == "Operation No Response")


@pytest.mark.parametrize("defect", CLASSES)
def test_a_drawn_defect_is_what_its_name_says(defect):
    rng = random.Random(0)
    for before in (windows.Screen(), windows.Screen(1, (True, False), "cats", 7)):
        for action in windows.actions(before):
            if not windows.allows(action, defect):
                continue
            meant, left = action.does(before), windows.after(before, action, defect, rng)
            assert meant != before
            assert (left == meant) == (defect == "No Defect")
            assert (left == before) == (defect == "Operation No Response")
            assert left.has_keyboard == (defect == "Virtual Keyboard Related Issue")
            if defect == "Navigation Logic Error":
                assert left.page not in (before.page, meant.page)
            assert (windows.draw(left).tobytes() == windows.draw(meant).tobytes()) == (left == meant)


def test_every_answer_present_leaves_nothing_to_say_of_absent_ones(tmp_path):
    build.build_drawn(tmp_path / "a", 10, 0.0, 0)
    scores = constant_answer(dataset.load(tmp_path / "a", "train"), "No Defect")
    assert (scores["constant"], scores["balanced"], scores["absent"]) == (0.2, 0.2, [])
    assert scores["confusion"] == {name: {"No Defect": 2} for name in CLASSES}
    assert "no row has" not in TASK.notes(scores)[0]


@pytest.mark.parametrize(
    "record, reason",
    [
        ({"image": ["a.png", "b.png"], "answer": "It works"}, "solution 'It works' is none of Operation No Response"),
        ({"image": "a.png", "answer": "No Defect"}, "1 pictures; this task shows two"),
        ({"image": None, "answer": "No Defect"}, "0 pictures; this task shows two"),
        ({"image": ["a.png", "c.png"], "answer": "No Defect"}, "1 of 1 records cannot be used"),
    ],
)
def test_records_that_do_not_fit_are_one_line(tmp_path, capsys, record, reason):
    draw(tmp_path, "a.png", "b.png")
    turns = [{"from": "human", "value": "[scroll up]"}, {"from": "gpt", "value": record["answer"]}]
    (tmp_path / "own.jsonl").write_text(json.dumps({"image": record["image"], "conversations": turns}))
    with pytest.raises(SystemExit) as left:
        build.main(["--records", f"{tmp_path}/own.jsonl", "--images", str(tmp_path), "--out", f"{tmp_path}/out"])
    assert left.value.code == 2
    assert reason in capsys.readouterr().err
