"""Decodings and answers: the truth always earns everything, a mistake never does, gates refuse what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from vlm_grpo.rewards.decoding import KINDS
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.cryptogram.cipher import ALPHABET, decode, encode, is_message, pool_of, spaced
from vlm_grpo.tasks.cryptogram.decoding import answer_credit, chars_block, decoding_credit
from vlm_grpo.tasks.cryptogram.questions import NAME, problem

words = st.lists(st.text(ALPHABET, min_size=1, max_size=9), min_size=1, max_size=3).map(" ".join)
mappings = st.permutations(ALPHABET).map("".join)
kinds = pytest.mark.parametrize("measure, gate", KINDS.values(), ids=KINDS)


def row_of(message: str, mapping: str) -> Row:
    code = spaced(encode(message, mapping))
    meta = {"kind": "sequence", "words": len(message.split()), "code": code, "mapping": mapping}
    return Row(id="r", images=(), problem=problem("sequence", code), solution=message, task=NAME, meta=meta)


def completion(chars: str, answer: str) -> str:
    return f"<think> so <chars> {chars} </chars> </think>\n<answer> {answer} </answer>"


@given(message=words, mapping=mappings)
def test_code_and_message_are_each_others_inverse(message, mapping):
    code = encode(message, mapping)
    assert decode(code, mapping) == message
    assert is_message(code)
    assert spaced(message).split(" ") == [letter if letter != " " else "_" for letter in message]
    assert pool_of(message) in ("train", "validation", "test")


@given(message=words, mapping=mappings)
def test_the_truth_earns_the_maximum_of_every_reward(message, mapping):
    row = row_of(message, mapping)
    text = completion(spaced(message), message)
    names = (*KINDS, "correctness", "soft_correctness", "soft_correctness_code", "chars_format", "accuracy", "credit")
    assert {name: REWARDS[name].score(text, row, rule="strict") for name in names} == dict.fromkeys(names, 1.0)


@pytest.mark.parametrize("mapping", [ALPHABET, ALPHABET[1:] + "a"], ids=["stands for itself", "for another"])
def test_a_message_of_one_letter_can_be_right_and_wrong(mapping):
    row = row_of("a", mapping)
    assert REWARDS["soft_correctness_code"].score(completion("a", "a"), row, rule="strict") == 1.0
    assert REWARDS["decoding"].score(completion("a", "a"), row, rule="strict") == 1.0
    assert REWARDS["decoding"].score(completion("q", "a"), row, rule="strict") == 0.0


@kinds
@given(proposal=st.text("abc _", max_size=12), truth=words, mapping=mappings)
def test_only_the_truth_earns_everything(measure, gate, proposal, truth, mapping):
    texts = {"truth": spaced(truth), "code": spaced(encode(truth, mapping))}
    credit = decoding_credit(proposal, **texts, measure=measure, gate=gate)
    assert 0 <= credit <= 1
    assert (credit == 1) == (proposal == spaced(truth))


@given(said=words, truth=words)
def test_only_the_true_answer_earns_everything(said, truth):
    for gate in ("letters", "code"):
        credit = answer_credit(said, truth, gate=gate)
        assert 0 <= credit <= 1
        assert (credit == 1) == (said == truth)
    assert answer_credit(said, truth) <= answer_credit(said, truth, gate="code")


@pytest.mark.parametrize(
    "message, threshold", [("cat", 2), ("vision", 5), ("cat dog", 6), ("groundlight loves ml", 19), ("a", 0)]
)
def test_the_distance_within_which_r1_vlm_pays_an_answer(message, threshold):
    assert Levenshtein.distance(spaced(message), message) == threshold


@pytest.mark.parametrize(
    "chars, spaced_credit, letters_credit",
    [
        ("c a t _ d o g", 1, 1),
        ("c a t _ d o x", 1 - 1 / 13, 1 - 1 / 6),
        ("c a t d o g", 1 - 2 / 13, 1 - 1 / 6),  # the space is missed
        ("c a t", 1 - 8 / 13, 1 - 4 / 6),
        ("c a t _ d o g s", 1 - 2 / 15, 1 - 1 / 7),
        ("cat dog", 1 - 6 / 13, 0),  # nobody's letters
        ("c  a t _ d o g", 1 - 1 / 14, 1 - 1 / 7),
    ],
)
def test_what_mistakes_cost(chars, spaced_credit, letters_credit):
    texts = {"truth": "c a t _ d o g", "code": "x y z _ u v w"}
    assert decoding_credit(chars, **texts, measure="spaced", gate="none") == pytest.approx(spaced_credit)
    assert decoding_credit(chars, **texts, measure="letters", gate="none") == pytest.approx(letters_credit)


def test_the_two_gates_differ_where_the_reference_says():
    """Random letters are as far from the truth as the code is, and as from the code: only r1_vlm's code pays them."""
    texts = {"truth": "c a t", "code": "x y z", "measure": "spaced"}
    assert decoding_credit("p q r", **texts, gate="code") == pytest.approx(1 - 3 / 5)
    assert decoding_credit("p q r", **texts, gate="blog") == 0
    assert decoding_credit("x y z", **texts, gate="code") == decoding_credit("x y z", **texts, gate="blog") == 0


@pytest.mark.parametrize(
    "text, chars",
    [
        ("<think> <chars> c a t </chars> </think> <answer> cat </answer>", "c a t"),
        ("<think> <chars>c a t</chars> and so on", "c a t"),
        ("<chars> c a t </chars>", None),
        ("<think> </think> <chars> c a t </chars>", None),
        ("<think> <chars> c a t </think> </chars>", None),
        ("<think> <chars> c </chars> <chars> c a t </chars> </think>", None),
        ("<think> </chars> c a t <chars> </think>", None),
        ("<think> <chars> c <b>a</b> t </chars> </think>", None),
        ("", None),
    ],
)
def test_the_block_that_holds_the_decoding(text, chars):
    assert chars_block(text) == chars


@pytest.mark.parametrize(
    "chars, answer, hard, soft",
    [
        ("c a t _ d o g", "cat dog", 1, 1),
        ("c a t _ d o g", "cat fog", 0, 1 - 1 / 7),
        ("c a t _ d o g", "catdog", 0, 1 - 1 / 7),
        ("c a t _ d o g", "c a t _ d o g", 0, 0),
        ("c a t _ d o g", "Cat dog", 0, 0),  # no letters of the alphabet
        ("c a t _ f o g", "cat dog", 0, 0),  # mended by guessing English
        ("c a t _ f o g", "cat fog", 0, 0),
    ],
)
def test_correctness_is_paid_beside_a_full_decoding_only(chars, answer, hard, soft):
    row = row_of("cat dog", ALPHABET[1:] + "a")
    text = completion(chars, answer)
    assert REWARDS["correctness"].score(text, row, rule="strict") == hard
    assert REWARDS["soft_correctness"].score(text, row, rule="strict") == pytest.approx(soft)
    assert REWARDS["accuracy"].score(text, row, rule="strict") == float(answer == "cat dog")


def test_rows_that_ask_for_no_chars_cannot_be_scored():
    row = row_of("cat", ALPHABET)
    for other in (
        row.model_copy(update={"meta": {**row.meta, "kind": "word"}}),
        row.model_copy(update={"task": "vsr"}),
    ):
        for name in (*KINDS, "correctness", "soft_correctness", "soft_correctness_code"):
            assert REWARDS[name].score(completion("c a t", "cat"), other, rule="strict") is None
