"""Average precision: COCO's golden figures, ids from 0, crowds, nothing at all."""

import json

import pytest

from coco_data import REAL, annotation, needs_coco
from vlm_grpo.tasks.coco.average_precision import average_precision

GOLDEN = {"bbox": (0.505, 0.697, 0.573), "segm": (0.320, 0.562, 0.299)}
SIZES = {0: (64, 48), 1: (64, 48)}


@needs_coco
@pytest.mark.parametrize("kind", GOLDEN)
def test_the_golden_figures_of_coco(kind):
    truth = json.loads((REAL / "instances_val2014_100.json").read_text())
    detections = json.loads((REAL / f"fake_{kind}100_results.json").read_text())
    sizes = {image["id"]: (image["width"], image["height"]) for image in truth["images"]}
    before = json.dumps(detections)
    values = average_precision(truth["annotations"], detections, kind=kind, sizes=sizes)
    assert tuple(round(value, 3) for value in values.values()) == GOLDEN[kind]
    assert json.dumps(detections) == before


def detection(image, box, score=1.0, category=1):
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


def test_an_annotation_of_id_0_can_be_matched(capsys):
    truth = [annotation(0, 0, 1, [2, 2, 20, 20]), annotation(1, 1, 1, [2, 2, 20, 20])]
    said = [detection(0, [2, 2, 20, 20]), detection(1, [2, 2, 20, 20])]
    values = average_precision(truth, said, kind="bbox", sizes=SIZES)
    assert values == pytest.approx({"AP": 1.0, "AP50": 1.0, "AP75": 1.0})
    assert capsys.readouterr().out == ""


def test_crowds_are_neither_missed_nor_wrong():
    truth = [annotation(1, 0, 1, [2, 2, 20, 20]), annotation(2, 1, 1, [0, 0, 60, 40], iscrowd=1)]
    said = [detection(0, [2, 2, 20, 20]), detection(1, [5, 5, 9, 9])]
    assert average_precision(truth, said, kind="bbox", sizes=SIZES)["AP"] == pytest.approx(1.0)
    assert average_precision(truth, said[1:], kind="bbox", sizes=SIZES)["AP"] == pytest.approx(0.0)


def test_nothing_said_is_0_and_nothing_to_find_is_undefined():
    truth = [annotation(1, 0, 1, [2, 2, 20, 20])]
    assert set(average_precision(truth, [], kind="bbox", sizes=SIZES).values()) == {0.0}
    elsewhere = [detection(7, [2, 2, 20, 20])]
    assert set(average_precision(truth, elsewhere, kind="bbox", sizes=SIZES).values()) == {0.0}
    assert set(average_precision([], [detection(0, [1, 1, 5, 5])], kind="bbox", sizes=SIZES).values()) == {None}
    assert set(average_precision([], [], kind="bbox", sizes=SIZES).values()) == {None}
