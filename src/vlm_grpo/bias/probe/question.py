"""How well the label can be told from the question alone, the picture left blank: words and pairs of words, logistic.

What it finds on rows that it was not fitted on is a shortcut in the texts, such as a relation that is mostly true.
"""

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from vlm_grpo.bias.probe.parts import Part

NAME = "question"


class QuestionProbe:
    """Fitted by `fit`; `predict` gives a label for each row, from its problem text."""

    def __init__(self) -> None:
        self._model = make_pipeline(CountVectorizer(ngram_range=(1, 2), binary=True), LogisticRegression(max_iter=1000))

    def fit(self, part: Part) -> None:
        """Fit on the problems of `part`; nothing in it is random."""
        self._model.fit([row.problem for row in part.rows], part.labels)

    def predict(self, part: Part) -> np.ndarray:
        """Bool of shape (rows,)."""
        return np.asarray(self._model.predict([row.problem for row in part.rows]))
