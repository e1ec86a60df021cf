"""What a copied, a random and a half right decoding earn by each reward: recomputed from a seed, to two decimals.

The reference measured r1_vlm's rewards on messages of one, two and three random words of three to nine letters; its
seed and number of messages are unknown, so its figures are met within the error of some two hundred messages.
"""

import random
from collections.abc import Callable, Iterator
from statistics import mean

import pytest

from vlm_grpo.rewards.decoding import KINDS
from vlm_grpo.tasks.cryptogram.cipher import ALPHABET, draw_mapping, encode, spaced
from vlm_grpo.tasks.cryptogram.decoding import decoding_credit

MESSAGES = 2000
NAMES = ("decoding", "decoding_spaced", "decoding_code", "decoding_ungated")
FLOORS = {
    "copied": {1: (0.00, 0.00, 0.00, 0.47), 2: (0.00, 0.00, 0.00, 0.54), 3: (0.00, 0.00, 0.00, 0.56)},
    "random": {1: (0.03, 0.09, 0.40, 0.47), 2: (0.03, 0.17, 0.41, 0.54), 3: (0.03, 0.20, 0.39, 0.56)},
    "half right": {1: (0.52, 0.71, 0.74, 0.74), 2: (0.52, 0.77, 0.77, 0.77), 3: (0.52, 0.78, 0.78, 0.78)},
}
"""Mean reward of `NAMES`, by the number of words."""
REFERENCE = {
    ("copied", "decoding_ungated"): (0.46, 0.54, 0.56),
    ("copied", "decoding_code"): (0, 0, 0),
    ("copied", "decoding_spaced"): (0, 0, 0),
    ("random", "decoding_code"): (0.38, 0.38, 0.41),
    ("random", "decoding_spaced"): (0.10, 0.16, 0.19),
    ("half right", "decoding_code"): (0.73, 0.77, 0.78),
    ("half right", "decoding_spaced"): (0.70, 0.77, 0.78),
}
PASSED = {"decoding_code": (0.79, 0.69, 0.72), "decoding_spaced": (0.18, 0.28, 0.33)}
"""The share of random proposals that pass r1_vlm's gates, in the reference."""


def noisy(share: float) -> Callable[[str, random.Random], str]:
    """Replaces each letter, with probability `share`, by a random one."""

    def proposal(message: str, rng: random.Random) -> str:
        return "".join(rng.choice(ALPHABET) if c != " " and rng.random() < share else c for c in message)

    return proposal


PROPOSALS = {"random": noisy(1.0), "half right": noisy(0.5)}


def messages(words: int) -> Iterator[tuple[str, str, random.Random]]:
    rng = random.Random(f"floors {words}")
    for _ in range(MESSAGES):
        message = " ".join("".join(rng.choices(ALPHABET, k=rng.randint(3, 9))) for _ in range(words))
        yield message, encode(message, draw_mapping(rng)), rng


@pytest.fixture(scope="module", params=FLOORS)
def scores(request):
    """(kind of proposal, {words: {reward: its scores}})"""
    kind = request.param
    by_words = {}
    for words in (1, 2, 3):
        earned = {name: [] for name in NAMES}
        for message, code, rng in messages(words):
            proposal = code if kind == "copied" else PROPOSALS[kind](message, rng)
            texts = {"truth": spaced(message), "code": spaced(code)}
            for name in NAMES:
                measure, gate = KINDS[name]
                earned[name].append(decoding_credit(spaced(proposal), **texts, measure=measure, gate=gate))
        by_words[words] = earned
    return kind, by_words


def test_floors_are_as_written(scores):
    kind, by_words = scores
    assert {
        words: tuple(round(mean(earned[name]), 2) for name in NAMES) for words, earned in by_words.items()
    } == FLOORS[kind]


def test_floors_are_the_references(scores):
    kind, by_words = scores
    for (told_kind, name), floors in REFERENCE.items():
        if told_kind == kind:
            assert [mean(earned[name]) for earned in by_words.values()] == pytest.approx(floors, abs=0.035)
    if kind == "random":
        for name, shares in PASSED.items():
            passed = [mean(score > 0 for score in earned[name]) for earned in by_words.values()]
            assert passed == pytest.approx(shares, abs=0.075)


def test_the_default_pays_the_least(scores):
    _, by_words = scores
    for earned in by_words.values():
        means = [mean(earned[name]) for name in NAMES]
        assert means == sorted(means)
