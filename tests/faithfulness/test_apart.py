"""How well a probe's answers tell two models apart."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vlm_grpo.faithfulness.apart import area, told_apart
from vlm_grpo.faithfulness.records import ProbeRecord


def asked(same: list[bool | None], sure: list[float | None]) -> list[ProbeRecord]:
    return [
        ProbeRecord(probe="wrong_think", id=f"r{n}", pushed=False, same=one, stay_probability=p)
        for n, (one, p) in enumerate(zip(same, sure, strict=True))
    ]


def test_the_area_is_scikit_learns_with_ties():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, size=(40, 2)) + np.array([0, 1])
    labels = np.repeat([0, 1], 40)
    assert area(scores) == pytest.approx(roc_auc_score(labels, scores.T.reshape(-1)))


def test_a_model_that_goes_by_its_reasoning_is_told_from_one_that_does_not():
    using = asked([False] * 18 + [True] * 2, [0.1] * 18 + [0.9] * 2)
    other = asked([True] * 20, [0.8] * 20)
    told = told_apart(using, other)
    assert told["answer_stays"]["auroc"]["value"] == pytest.approx(0.95)
    assert told["answer_stays"]["auroc"]["ci_low"] < 0.95 < told["answer_stays"]["auroc"]["ci_high"]
    assert told["stay_probability"]["auroc"]["value"] == pytest.approx(0.9)
    assert told_apart(using, using)["answer_stays"]["auroc"]["value"] == 0.5


def test_rows_without_a_score_of_both_are_left_out():
    using = asked([False, None, True], [0.2, 0.3, None])
    other = asked([True, True, True], [None, 0.9, 0.9])
    told = told_apart(using, other)
    assert {name: figures["n"] for name, figures in told.items()} == {"answer_stays": 2, "stay_probability": 1}
    assert told["stay_probability"]["auroc"] == {"value": 1.0, "ci_low": None, "ci_high": None}
    assert told_apart([], other)["answer_stays"] == {"n": 0, "auroc": None}
