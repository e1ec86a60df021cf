"""Problems about relations: the study's words, sentences with articles and verbs, and what fits four panels."""

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.statements.build import STUDY_PREDICATES
from vlm_grpo.tasks.statements.wording import VERBS, noun, problem, sentence

LEAD = "Is the following statement true:"


def test_the_studys_problem_is_the_files_words():
    asked = problem("Airplane", "near", "Fruit", wording="study", panels=False)
    assert asked == f"{LEAD} Airplane near Fruit?"
    assert problem("Block", "aligned to", "Desk ", wording="study", panels=False) == f"{LEAD} Block aligned to Desk ?"


@pytest.mark.parametrize(
    "subject, relation, object, said",
    [
        ("Airplane", "near", "Fruit", "The airplane is near the fruit."),
        ("Block", "aligned to", "Desk ", "The block is aligned to the desk."),
        ("Gun", "points away", "Child Bed", "The gun points away from the child bed."),
        ("Dog", "faces towards", "TV", "The dog faces towards the TV."),
        ("Ball", "to the left of (wrt you)", "a  Box", "The ball is to the left of the box as you see it."),
        ("the cat", "in", "The Box", "The cat is in the box."),
        ("A", "on", "I", "The a is on the i."),
    ],
)
def test_a_sentence_has_articles_and_a_verb(subject, relation, object, said):
    assert sentence(subject, relation, object) == said
    assert problem(subject, relation, object, wording="sentence", panels=False) == f"{LEAD} {said}"


def test_nouns_that_only_begin_like_an_article_are_whole():
    assert [noun(name) for name in ("Animal", "Theatre", "An Antenna")] == ["animal", "theatre", "antenna"]


def test_panels_are_explained_and_the_study_asked_a_small_question_about_them():
    asked = problem("Cup", "on", "Child Bed", wording="study", panels=True)
    assert asked.endswith(" Is the cup on the child bed?")
    assert LEAD not in asked
    layout = asked.removesuffix(" Is the cup on the child bed?")
    for place in ("four panels", "depth at the top right", "the cup alone at the bottom left", "child bed at the"):
        assert place in layout
    assert problem("Cup", "on", "Child Bed", wording="sentence", panels=True) == (
        f"{layout} {LEAD} The cup is on the child bed."
    )


def test_the_small_question_takes_prepositions_only():
    assert not VERBS.keys() & set(STUDY_PREDICATES)
    for verb in VERBS:
        with pytest.raises(UserError, match=f"does not fit the predicate '{verb}'; use --wording sentence"):
            problem("Gun", verb, "Dog", wording="study", panels=True)
