"""Where an answer begins, and with which tokens: by a tokenizer whose pieces are listed here."""

from dataclasses import replace

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from vlm_grpo.evaluation.probabilities import words
from vlm_grpo.evaluation.probabilities.words import answer_words
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.choice import CHOICE
from vlm_grpo.tasks.answers.truth import TRUTH, YES_NO
from vlm_grpo.tasks.base import always
from vlm_grpo.tasks.registry import task_of

WORDS = (
    "<answer>",
    "True",
    " True",
    "true",
    " true",
    "TRUE",
    "T",
    "rue",
    "False",
    " False",
    "Yes",
    " no",
    "A",
    " B",
    "(B",
)
PIECES = sorted({*WORDS, *map(chr, range(32, 127)), "\n"}, key=lambda piece: (-len(piece), piece))
"""The longest piece that fits comes next, as a vocabulary of whole words has it."""
IDS = {piece: number for number, piece in enumerate(PIECES)}
STATEMENT = Row(id="r", images=(), problem="Is it?", solution="True", task="vsr")
CHOICES = Row(id="c", images=(), problem="Which? A. one B. two", solution="B", task="jsonl")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel(IDS, unk_token="?"))
    pattern = "|".join("".join(f"\\x{{{ord(letter):x}}}" for letter in piece) for piece in PIECES)
    made.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return made


def begins(tokenizer, row, text, *, rule="strict", place="stated"):
    """`before`, and the words of each value; or why there are none."""
    found = answer_words(
        row,
        text,
        rule=rule,
        place=place,
        encode=lambda text: tokenizer.encode(text).ids,
        decode=lambda ids: "".join(PIECES[token] for token in ids),
    )
    if isinstance(found, str):
        return found
    return found.before, {
        value: {PIECES[t] for t in ids} for value, ids in zip(found.values, found.tokens, strict=True)
    }


TRUES, FALSES = {"True", " True", "true", " true", "TRUE"}, {"False", " False"}


@pytest.mark.parametrize(
    "text, rule, place, before",
    [
        ("<answer> True </answer>", "strict", "stated", "<answer>"),
        ("<answer>\nTrue", "strict", "stated", "<answer>\n"),
        ("<think> Left. </think> <answer>no idea</answer>", "strict", "stated", "<think> Left. </think> <answer>"),
        ("<think> Left. </think> <answer> True </answer>", "strict", "first", ""),
        ("The cat is there.", "bare", "stated", ""),
        ("", "bare", "stated", ""),
    ],
)
def test_an_answer_begins_behind_its_tag_or_where_the_completion_does(tokenizer, text, rule, place, before):
    assert begins(tokenizer, STATEMENT, text, rule=rule, place=place) == (before, {True: TRUES, False: FALSES})


def test_relaxed_answers_may_be_yes_or_no_and_fragments_are_no_words(tokenizer):
    """`T` begins any word, and FALSE here; neither counts, nor does `Y` for YES."""
    _, of_value = begins(tokenizer, STATEMENT, "True", rule="bare_relaxed")
    assert of_value == {True: TRUES | {"Yes"}, False: FALSES | {" no"}}


@pytest.mark.parametrize(
    "text",
    ["True", "<answer> True", "<answer> True </answer> <answer> False </answer>", "<think> <answer> True </answer>"],
)
def test_without_one_answer_that_opens_there_is_no_place(tokenizer, text):
    expected = ("<answer>", {True: TRUES, False: FALSES}) if text == "<answer> True" else words.NOT_OPENED
    assert begins(tokenizer, STATEMENT, text) == expected, "an answer that was cut off has begun"


def test_letters_are_those_of_the_row(tokenizer):
    assert begins(tokenizer, CHOICES, "<answer>B", rule="strict") == ("<answer>", {"A": {"A"}, "B": {"B", " B", "(B"}})


def test_numbers_and_answers_that_begin_alike_have_no_words(tokenizer, monkeypatch):
    assert begins(tokenizer, CHOICES.model_copy(update={"solution": "3"}), "<answer> 3") == words.NOT_FEW
    longer = replace(TRUTH, write=lambda value: "True" if value else "Truer", spellings=lambda value, relaxed: ())
    monkeypatch.setattr(words, "task_of", lambda row: replace(task_of(row), answer=always(longer)))
    assert begins(tokenizer, STATEMENT, "<answer>") == words.NOT_TOLD_APART


@pytest.mark.parametrize("kind, values", [(TRUTH, (True, False)), (YES_NO, (True, False)), (CHOICE, ("A", "D"))])
@pytest.mark.parametrize("relaxed", [False, True])
def test_a_kind_reads_all_of_its_spellings(kind, values, relaxed):
    for value in values:
        assert {kind.parse(spelling, relaxed) for spelling in kind.spellings(value, relaxed)} == {value}
