"""Own records of labelled boxes as rows of `detection`: their frame, what is refused, how one gets there."""

import json

import pytest

from own_records import draw, record, write
from refusals import refusal
from vlm_grpo.errors import UserError
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows import dataset
from vlm_grpo.tasks.detection.records import main
from vlm_grpo.tasks.jsonl import methods
from vlm_grpo.tasks.registry import check_solutions

DOG = {"bbox_2d": [100, 250, 500, 2000], "label": "dog"}
FENCED = f"```json\n{json.dumps([DOG], indent=1)}\n```"


def words(tmp_path, records, *more):
    draw(tmp_path / "x", "a.png", "b.png", size=(200, 100))
    file = write(tmp_path / "own.jsonl", records)
    return ["--data_file_paths", str(file), "--image_folders", str(tmp_path / "x"), "--out", str(tmp_path / "d"), *more]


@pytest.mark.parametrize("coordinates, box", [("pixels", [100, 50, 200, 100]), ("thousandths", [20, 25, 100, 100])])
def test_boxes_are_brought_to_the_pictures_pixels_and_clipped(coordinates, box, tmp_path, capsys):
    dog = DOG if coordinates == "thousandths" else {**DOG, "bbox_2d": [100, 50, 500, 2000]}
    records = [
        record("<image>Dogs?", json.dumps([dog]), "a.png", accu_reward_method="odLength", source="drawn"),
        record("Kites?", "<answer> None </answer>", "b.png"),
    ]
    main(words(tmp_path, records, "--coordinates", coordinates))
    rows = dataset.load(tmp_path / "d", "train")
    check_solutions(rows, where="d")
    assert [json.loads(rows[0].solution), rows[1].solution] == [[{"bbox_2d": box, "label": "dog"}], "None"]
    assert [row.problem for row in rows] == ["Dogs?", "Kites?"]
    assert rows[0].meta == {"file": "own", "source": "drawn", "objects": 1, "labels": 1}
    assert "train: 2 rows, 1 boxes" in capsys.readouterr().out


def test_a_fence_is_read_and_rows_are_held_out_by_picture(tmp_path):
    records = [record("Dogs?", FENCED, name) for name in ("a.png", "b.png", "a.png")]
    main(words(tmp_path, records, "--coordinates", "thousandths", "--val_split_ratio", "0.4"))
    assert [row.images for row in dataset.load(tmp_path / "d", "validation")] == [("images/0/b.png",)]


@pytest.mark.parametrize(
    "answer, image, reason",
    [
        ([{"bbox_2d": [1, 1, 9, 9]}], "a.png", "its box [1, 1, 9, 9] has no label"),
        ([{**DOG, "bbox_2d": [300, 10, 400, 20]}], "a.png", "less than a pixel lies in the 200 x 100 picture"),
        ([{**DOG, "bbox_2d": [1, 2, 3]}], "a.png", "is no JSON list of boxes"),
        ("a dog", "a.png", "solution 'a dog' is no JSON list of boxes"),
        ([], ["a.png", "b.png"], "it has 2 pictures; boxes lie in one"),
        ([], None, "it has 0 pictures; boxes lie in one"),
    ],
)
def test_a_record_that_cannot_be_used_is_told(answer, image, reason, tmp_path, capsys):
    records = [record("Dogs?", "None", "a.png"), record("Dogs?", answer, image)]
    told = refusal(capsys, main, words(tmp_path, records), alone=False)
    assert "1 of 2 records cannot be used" in told
    assert "own.jsonl line 2: " in told
    assert reason in told


@pytest.mark.parametrize("method", ["map", "od_ap", "od_ap50", "odLength", "weighted_sum"])
def test_the_door_for_other_records_names_this_one_and_a_reward_that_there_is(method):
    assert methods.BOXES[method] in REWARDS
    with pytest.raises(UserError, match=rf"vlm_grpo\.tasks\.detection\.records .* --rewards {methods.BOXES[method]}\)"):
        methods.check(method)
