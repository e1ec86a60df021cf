"""How far texts say the same in the same words: the share of distinct runs of four words (Li et al. 2016, distinct-n).

Over all texts together, so a template that each of them fills in lowers it as much as a text that repeats itself. It
also falls with the number of texts: compare equal numbers.
"""

from collections.abc import Sequence

RUN = 4


def distinct_share(texts: Sequence[str], *, run: int = RUN) -> float | None:
    """Distinct over all runs of `run` words (letter case apart) of `texts`, in (0, 1]; None where there is no run.

    >>> distinct_share(["the dog is left of it", "the dog is left of us"])
    0.6666666666666666
    """
    words = [text.lower().split() for text in texts]
    runs = [tuple(one[at : at + run]) for one in words for at in range(len(one) - run + 1)]
    return len(set(runs)) / len(runs) if runs else None
