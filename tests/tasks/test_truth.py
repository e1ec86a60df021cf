import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.answers.rules import RULES
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.blocks import answer_block

WORDS = st.sampled_from(
    ["True", "False", "Yes", "No", "true.", "NO!", "not", "isn't", "maybe", "the", "left", "", "\n"]
)
SENTENCES = st.lists(WORDS, max_size=6).map(" ".join)
TEXTS = st.one_of(
    st.text(), SENTENCES, st.tuples(st.text(), SENTENCES, st.text()).map("{0[0]}<answer>{0[1]}</answer>{0[2]}".format)
)


@pytest.mark.parametrize(
    "text, strict, relaxed",
    [
        ("<think> a </think> <answer> True </answer>", True, True),
        ("<answer>false</answer>", False, False),
        ("<answer> True. </answer>", True, True),
        ("<answer> **True** </answer>", True, True),
        ("<answer> Yes </answer>", None, True),
        ("<answer> No, it is behind. </answer>", None, False),
        ("<answer> The statement is true. </answer>", None, True),
        ("<answer> no, not true </answer>", None, None),
        ("<answer> not true </answer>", None, None),
        ("<answer> It isn’t true </answer>", None, None),
        ("<answer> True or False </answer>", None, None),
        ("<answer> True True </answer>", None, True),
        ("<answer> </answer>", None, None),
        ("<answer> Untrue </answer>", None, None),
        ("<answer> 1 </answer>", None, None),
        ("True", None, None),
        ("<answer> True", None, None),
        ("</answer> True <answer>", None, None),
        ("<answer> True </answer> <answer> False </answer>", None, None),
        ("<answer> True </answer> <answer> True </answer>", None, None),
        ("<answer> <answer> True </answer> </answer>", None, None),
        ("<ANSWER> True </ANSWER>", None, None),
        ("<think> I say <answer> False", None, None),
    ],
)
def test_tagged(text, strict, relaxed):
    assert TRUTH.read(text) is strict
    assert TRUTH.read(text, "relaxed") is relaxed


@pytest.mark.parametrize(
    "text, bare, bare_relaxed",
    [
        ("True", True, True),
        ("  False.\n", False, False),
        ("Yes.", None, True),
        ("No.", None, False),
        ("The answer is yes", None, True),
        ("Yes and no", None, None),
        ("", None, None),
        ("y", None, None),
        ("now", None, None),
    ],
)
def test_bare(text, bare, bare_relaxed):
    assert TRUTH.read(text, "bare") is bare
    assert TRUTH.read(text, "bare_relaxed") is bare_relaxed


@given(TEXTS)
def test_relaxed_never_contradicts_strict(text):
    for strict, relaxed in (("strict", "relaxed"), ("bare", "bare_relaxed")):
        read = TRUTH.read(text, strict)
        assert read is None or TRUTH.read(text, relaxed) is read


@given(TEXTS, st.sampled_from(RULES))
def test_case_and_surrounding_space_do_not_matter(text, rule):
    block = answer_block(text)
    if rule.startswith("bare"):
        assert TRUTH.read(f" \n{text}\t ", rule) is TRUTH.read(text, rule)
    elif block is not None:
        assert TRUTH.read(f"<answer>\n{block.upper()} </answer>", rule) in (TRUTH.read(text, rule), None)


@given(SENTENCES, SENTENCES)
def test_a_text_that_says_both_is_unparsed(before, after):
    for rule in ("bare", "bare_relaxed"):
        assert TRUTH.read(f"{before} true {after} false", rule) is None
    assert TRUTH.read(f"<answer>{before} yes {after} no</answer>", "relaxed") is None


@given(st.text(), st.booleans(), st.text())
def test_only_the_answer_block_counts(thinking, value, trailing):
    text = f"<think>{thinking}</think><answer> {value} </answer>{trailing}"
    alone = "<answer>" not in thinking + trailing and "</answer>" not in thinking + trailing
    for rule in ("strict", "relaxed"):
        assert TRUTH.read(text, rule) is (value if alone else None)


@given(st.booleans(), st.sampled_from(["<answer> {} </answer>", "{}"]))
def test_solutions_in_every_spelling(value, form):
    for word in (str(value), str(value).lower(), "Yes." if value else "No."):
        assert TRUTH.solution(form.format(word), where="row") is value


def test_a_solution_that_is_neither_is_refused():
    with pytest.raises(UserError, match=r"vsr row 7: solution 'left' is neither True nor False"):
        TRUTH.solution("left", where="vsr row 7")


def test_an_unknown_rule_names_the_known_ones():
    with pytest.raises(UserError, match="strict, relaxed, bare, bare_relaxed"):
        TRUTH.read("True", "loose")
