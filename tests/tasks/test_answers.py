"""Kinds of answers beside the truth value: what each reads strictly and relaxed, and that it reads what it writes."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.answers.box import BOX, BOXES
from vlm_grpo.tasks.answers.choice import CHOICE
from vlm_grpo.tasks.answers.formula import FORMULA
from vlm_grpo.tasks.answers.letters import LETTERS
from vlm_grpo.tasks.answers.number import NUMBER, NUMBERS
from vlm_grpo.tasks.answers.polygon import POLYGON
from vlm_grpo.tasks.answers.rules import RULES
from vlm_grpo.tasks.answers.text import TEXT
from vlm_grpo.tasks.answers.truth import TRUTH, YES_NO
from vlm_grpo.tasks.blocks import answer_block, reasons, thoughts

KINDS = (TRUTH, YES_NO, NUMBER, NUMBERS, TEXT, CHOICE, LETTERS, FORMULA, BOX, BOXES, POLYGON)
SAME = object()


@pytest.mark.parametrize(
    "kind, stated, strict, relaxed",
    [
        (YES_NO, "Yes", True, SAME),
        (YES_NO, " no. ", False, SAME),
        (YES_NO, "False", None, False),
        (YES_NO, "Yes, it is", None, True),
        (YES_NO, "not sure", None, None),
        (YES_NO, "none of them, I know", None, None),
        (YES_NO, "yes and no", None, None),
        (NUMBER, "18", 18, SAME),
        (NUMBER, " 18. ", 18, SAME),
        (NUMBER, "**18**", 18, SAME),
        (NUMBER, "-3", -3, SAME),
        (NUMBER, "It is −3 (minus 3)", None, -3),
        (NUMBER, "the answer–5", None, 5),
        *((NUMBER, f"It is {other}.", None, None) for other in ("one hundred", "5 million", "two dozen", "minus five")),
        *((NUMBER, f"It is {other}", None, None) for other in ("1E-3", "1.234.567", "3.14159265358979323846264")),
        *((BOX, f"[0, 0, {far}, 5]", None, None) for far in ("1e999", "9" * 400, "-Infinity", "NaN")),
        *((BOXES, f"[[0, 0, {far}, 5]]", None, None) for far in ("1e999", "9" * 400)),
        *((POLYGON, f"[[0, 0], [{far}, 0], [0, 1]]", None, None) for far in ("1e999", "9" * 400, "NaN")),
        (NUMBER, "2.50", 2.5, SAME),
        (NUMBER, "5 + 1 = 6", None, 6),
        (NUMBER, "there are 4 of them", None, 4),
        (NUMBER, "four", None, 4),
        (NUMBER, "twenty-one", None, None),
        (NUMBER, "3 or 4", None, None),
        (NUMBER, "4 and 4", None, 4),
        (NUMBER, "1,000", None, 1000),
        (NUMBER, "12a", None, None),
        (NUMBER, "x1", None, None),
        (NUMBER, "", None, None),
        (NUMBER, "many", None, None),
        (NUMBERS, "[3, 7, 8]", [3, 7, 8], SAME),
        (NUMBERS, "3, 7, 8", [3, 7, 8], SAME),
        (NUMBERS, "5", [5], SAME),
        (NUMBERS, "[]", [], SAME),
        (NUMBERS, "[3, 7", None, [3, 7]),
        (NUMBERS, "3 7 8", None, [3, 7, 8]),
        (NUMBERS, "They are [3, 7] and sum to 10.", None, [3, 7]),
        (NUMBERS, "three and seven", None, [3, 7]),
        (NUMBERS, "none", None, None),
        (NUMBERS, "", None, None),
        (TEXT, "  a  red\ncar ", "a red car", SAME),
        (TEXT, '"Red car."', '"Red car."', "Red car"),
        (TEXT, " ", None, None),
        (LETTERS, "A, C", ["A", "C"], SAME),
        (LETTERS, "c;a", ["A", "C"], SAME),
        (LETTERS, "(A) and (C).", ["A", "C"], SAME),
        (LETTERS, "**B**", ["B"], SAME),
        (LETTERS, "A, A", ["A"], SAME),
        (LETTERS, "Answer(s): C, A.", None, ["A", "C"]),
        (LETTERS, "The right answers are A and C", None, ["A", "C"]),
        (LETTERS, "AC", None, ["A", "C"]),
        (LETTERS, "A) I stop, at once; C) I wait", None, ["A", "C"]),
        (LETTERS, "A car, C", None, None),
        (LETTERS, "A or C", None, None),
        (LETTERS, "none", None, None),
        (LETTERS, ", ", None, None),
        (LETTERS, "", None, None),
        (CHOICE, "B", "B", SAME),
        (CHOICE, "(b).", "B", SAME),
        (CHOICE, "B) the red one", None, "B"),
        (CHOICE, "The answer is C", None, "C"),
        (CHOICE, "The answer is A", None, "A"),
        (CHOICE, "I think it is D", None, "D"),
        (CHOICE, "A car", None, None),
        (CHOICE, "B or C", None, None),
        (CHOICE, "A, B", None, None),
        (CHOICE, "The answer is A or B", None, None),
        (CHOICE, "Rather than A and B, the answer is C", None, "C"),
        (CHOICE, "", None, None),
        (BOX, "[1, 2, 30, 40]", [1, 2, 30, 40], SAME),
        (BOX, '{"bbox_2d": [1, 2, 30, 40], "label": "cat"}', [1, 2, 30, 40], SAME),
        (BOX, '[{"bbox_2d": [1, 2, 30, 40]}]', [1, 2, 30, 40], SAME),
        (BOX, '```json\n[{"bbox_2d": [1, 2, 30, 40]}]\n```', None, [1, 2, 30, 40]),
        (BOX, "The cat is at [1, 2, 30, 40].", None, [1, 2, 30, 40]),
        (BOX, "[1, 2, 3, 4] or [5, 6, 7, 8]", None, None),
        (BOX, "[30, 2, 1, 40]", None, [1, 2, 30, 40]),
        (BOX, "It is at [30, 40, 1, 2].", None, [1, 2, 30, 40]),
        (BOX, "[1, 2, 1, 40]", None, None),
        (BOX, "[\n  1.5,\n  -2,\n  30.25,\n  40\n]", [1.5, -2, 30.25, 40], SAME),
        (BOX, '```json\n{\n  "bbox_2d": [\n    -1.5, 2, 30, 40.5\n  ]\n}\n```', None, [-1.5, 2, 30, 40.5]),
        (BOX, "[1, 2, 3]", None, None),
        (BOX, "[1, 2, true, 4]", None, None),
        (BOX, "[1, 2, NaN, 4]", None, None),
        (BOXES, "[]", [], SAME),
        (BOXES, "[[1, 2, 3, 4]]", [{"bbox_2d": [1, 2, 3, 4], "label": None}], SAME),
        (BOXES, '[{"bbox": [1, 2, 3, 4], "label": "cat"}]', [{"bbox_2d": [1, 2, 3, 4], "label": "cat"}], SAME),
        (BOXES, "[[1, 2, 3, 4], [5]]", None, None),
        (BOXES, "none", None, None),
        (POLYGON, "[[0, 0], [1, 0], [1, 1]]", [[0, 0], [1, 0], [1, 1]], SAME),
        (POLYGON, "It is [[0, 0], [1, 0], [1, 1]].", None, [[0, 0], [1, 0], [1, 1]]),
        (POLYGON, "[[0, 0], [1, 0]]", None, None),
        (POLYGON, "[[0, 0, 1], [1, 0, 1], [1, 1, 1]]", None, None),
    ],
)
def test_each_kind_reads(kind, stated, strict, relaxed):
    relaxed = strict if relaxed is SAME else relaxed
    for text, rules in ((f"<answer>{stated}</answer>", ("strict", "relaxed")), (stated, ("bare", "bare_relaxed"))):
        assert [kind.read(text, rule) for rule in rules] == [strict, relaxed]


VALUES = {
    "truth": st.booleans(),
    "number": st.integers(-(10**9), 10**9),
    "formula": st.integers(-(10**9), 10**9).map(str),
    "numbers": st.lists(st.integers(-99, 99), max_size=5),
    "choice": st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "text": st.text(alphabet="abc XYZ", min_size=1).map(lambda text: " ".join(text.split())).filter(bool),
    "box": st.tuples(*[st.integers(0, 500)] * 2, *[st.integers(501, 999)] * 2).map(list),
    "polygon": st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)).map(list), min_size=3, max_size=6),
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name in VALUES], ids=lambda kind: kind.name)
@given(data=st.data())
def test_each_kind_reads_what_it_writes(kind, data):
    value = data.draw(VALUES[kind.name])
    for rule in RULES:
        text = kind.write(value) if rule.startswith("bare") else f"<answer> {kind.write(value)} </answer>"
        assert kind.same(kind.read(text, rule), value)
    assert kind.same(kind.solution(kind.write(value), where="row"), value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(text=st.text(alphabet='<>/answerthink TrueFals[]{},.:0123456789"ABC\n', max_size=60))
def test_no_text_breaks_a_reader(kind, text):
    for rule in RULES:
        value = kind.read(text, rule)
        assert value is None or kind.same(value, value)


@pytest.mark.parametrize("kind", [NUMBER, NUMBERS, CHOICE, BOX, POLYGON], ids=lambda kind: kind.name)
def test_a_solution_of_another_kind_is_told(kind):
    with pytest.raises(UserError, match=f"row 3: solution 'perhaps' is {re.escape(kind.refused)}"):
        kind.solution("perhaps", where="row 3")


@pytest.mark.parametrize(
    "text",
    [
        "<think> I could say <answer> True </answer> but the red circle",
        "<think> a </think> then <think> or is it <answer> True </answer>",
        "<think> a </think> then <think> or is it <answer> True </answer> </think>",
        "<think> <answer> True </answer> </think>",
        "<answer> <think> True </answer>",
        "<answer> True </think> </answer>",
    ],
)
def test_an_answer_inside_a_thought_is_none(text):
    assert answer_block(text) is None
    assert [TRUTH.read(text, rule) for rule in ("strict", "relaxed")] == [None, None]


@pytest.mark.parametrize("text", ["<think> a </think> <answer> True </answer>", "<answer> True </answer> <think> so"])
def test_an_answer_beside_a_thought_counts(text):
    assert TRUTH.read(text) is True


@pytest.mark.parametrize(
    "sentence",
    [
        *("It wasn't true.", "These aren't true.", "It isnt true", "It wasnt true", "That won't be true"),
        *("I don't think it is true", "I dont think it is true", "It couldn’t be true", "It shouldnt be true"),
        *("It ain't true", "It can't be true", "It cant be true", "hardly true", "nothing true about it"),
        *("It isn‛t true", "It isn t true", "It is n't true", "It isn&#39;t true", "non-true", "none of it is true"),
        *("Neither is true", "barely true", "not false", "It wouldn`t be true", "It hasnʼt been true", "never true"),
    ],
)
def test_a_negated_word_is_no_answer(sentence):
    assert TRUTH.read(f"<answer> {sentence} </answer>", "relaxed") is None
    assert TRUTH.read(sentence, "bare_relaxed") is None


@pytest.mark.parametrize(
    "sentence", ["The want is true.", "The T is true.", "It is a knot, true.", "True, the plant is there."]
)
def test_words_that_only_look_like_negations_do_not_negate(sentence):
    assert TRUTH.read(f"<answer> {sentence} </answer>", "relaxed") is True


def test_thoughts_and_whether_there_are_any():
    assert thoughts("<think> a </think> b <think>c</think> <think> d") == ["a", "c"]
    texts = ("<think> a </think>", "<think> a", "<think> a <answer> 1 </answer>", "<think> </think>", "<think>", "a")
    assert [reasons(text) for text in texts] == [True, True, True, False, False, False]
    assert not reasons("<think> <answer> 1 </answer> </think>")


FLOOD = """
import sys
from vlm_grpo.tasks.answers import box, choice, letters, number, polygon, text, truth
from vlm_grpo.tasks.blocks import reasons
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.tasks.registry import task_named
kinds = (truth.TRUTH, number.NUMBER, number.NUMBERS, text.TEXT, choice.CHOICE, box.BOX, box.BOXES, polygon.POLYGON)
kinds += (letters.LETTERS,)
row = task_named("vsr").gold[0][1]
for flood in ("<think>", "<think></think>", "</think><answer>", "[", "n't ", "1 ", "[1, 2", "```", " "):
    for frame in ("{}", "<think> a </think> <answer> {} </answer>"):
        completion = frame.format(flood * 20_000)
        for kind in kinds:
            for rule in ("strict", "relaxed", "bare", "bare_relaxed"):
                kind.read(completion, rule)
        for reward in REWARDS.values():
            reward.score(completion, row, rule="relaxed")
        reasons(completion)
"""


def test_a_flood_of_tags_is_read_in_linear_time():
    """Quadratic readers need hours for this; the limit only ends those."""
    subprocess.run([sys.executable, "-c", FLOOD], check=True, timeout=300)
