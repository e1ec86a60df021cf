"""How well the relation alone tells the label: the probe that gives a text bias its level.

A logistic regression on the one-hot relation, as in the study (reference, section 7). In-sample accuracy is the number
that the study's levels are called after. Beside it stand five-fold cross-validation over the training rows (a row and
its copy share a fold) and the probe's accuracy on other splits, over the rows whose relation the training rows have.

Cross-validation of a set without bias comes out somewhat below one half: where both labels of a relation are equally
frequent, holding a row out leaves the other label in the majority.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vlm_grpo.bias.cases import Case, lottery
from vlm_grpo.statistics.shares import accuracy_share

FOLDS = 5


def relation_probe(cases: Sequence[Case], others: Mapping[str, Sequence[Case]], *, seed: int) -> dict[str, Any] | None:
    """Accuracy with Wilson's interval: `in_sample`, `cross_validated`, and by name of each of `others`.

    Each is `{n, correct, accuracy, ci_low, ci_high}`, or None for a split that shares no relation with `cases`. None
    altogether when all cases have one label: nothing can be fitted.
    """
    if len({case.label for case in cases}) < 2:
        return None
    known = {case.relation for case in cases}
    asked = {name: [case for case in split if case.relation in known] for name, split in others.items()}
    return {
        "in_sample": _share(_predict(cases, cases), cases),
        "cross_validated": _share(_cross_validated(cases, seed=seed), cases),
        **{name: _share(_predict(cases, split), split) if split else None for name, split in asked.items()},
    }


def level_name(accuracy: float) -> str:
    """The study's way to call a level: `acc_0.69` for an in-sample accuracy of 0.68990."""
    return f"acc_{round(accuracy, 3):g}"


def _predict(train: Sequence[Case], asked: Sequence[Case]) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression  # takes a second to import, and only this needs it
    from sklearn.preprocessing import OneHotEncoder

    labels = np.array([case.label for case in train])
    if labels.all() or not labels.any():
        return np.full(len(asked), labels[0])
    relations = sorted({case.relation for case in [*train, *asked]})
    encoder = OneHotEncoder(categories=[relations], drop="first")
    model = LogisticRegression(max_iter=1000).fit(encoder.fit_transform(_column(train)), labels)
    return model.predict(encoder.transform(_column(asked)))


def _column(cases: Sequence[Case]) -> np.ndarray:
    return np.array([[case.relation] for case in cases], dtype=object)


def _cross_validated(cases: Sequence[Case], *, seed: int) -> np.ndarray:
    """Predictions for each case from the folds without it; relations and labels are spread evenly over folds."""
    lots = {case.id: lottery(case.id, seed=seed) for case in cases}
    distinct = sorted({(case.relation, case.label, lots[case.id], case.id) for case in cases})
    fold = {id: place % FOLDS for place, (*_, id) in enumerate(distinct)}
    folds = np.array([fold[case.id] for case in cases])
    predicted = np.zeros(len(cases), dtype=bool)
    for held_out in np.unique(folds):
        inside = [case for case in cases if fold[case.id] == held_out]
        outside = [case for case in cases if fold[case.id] != held_out]
        predicted[folds == held_out] = _predict(outside, inside)
    return predicted


def _share(predicted: np.ndarray, cases: Sequence[Case]) -> dict[str, Any]:
    return accuracy_share(int((predicted == np.array([case.label for case in cases])).sum()), len(cases))
