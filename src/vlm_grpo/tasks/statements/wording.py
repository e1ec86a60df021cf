"""How a relation between two things is asked about.

study     the study's: names as the files have them, no article, no verb ("Airplane near Fruit?")
sentence  a sentence: "The airplane is near the fruit."

A picture of four panels (`tasks.statements.panels`) is explained first; the study then asked a small question ("Is the
airplane near the fruit?"), which fits prepositions only.
"""

from typing import Literal

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.vsr.columns import STATEMENT

Wording = Literal["study", "sentence"]
VERBS = {
    "points towards": "points towards",
    "points away": "points away from",
    "faces towards": "faces towards",
    "faces away": "faces away from",
    "covering": "is covering",
    "touching": "is touching",
    "leaning against": "is leaning against",
    "passing through": "is passing through",
    "aligned to": "is aligned to",
}
"""Of the relations that are no preposition, what stands between both things."""
SEEN = " (wrt you)"
"""Ends Rel3D's relations that hold for whoever looks at the picture."""
LAYOUT = (
    "The picture has four panels: the scene at the top left, its depth at the top right, the place of the {subject} "
    "alone at the bottom left and that of the {object} at the bottom right."
)
ARTICLES = ("a ", "an ", "the ")


def problem(subject: str, relation: str, object: str, *, wording: Wording, panels: bool) -> str:
    """The question whether `relation` holds between two things, named as the files name them.

    `UserError` where the study's question about panels does not fit the relation.
    """
    first, second = noun(subject), noun(object)
    layout = LAYOUT.format(subject=first, object=second) + " " if panels else ""
    if wording == "sentence":
        return layout + STATEMENT.format(caption=sentence(subject, relation, object))
    if not panels:
        return STATEMENT.format(caption=f"{subject} {relation} {object}?")
    if relation in VERBS:
        raise UserError(
            f"the study's question about panels is 'Is the ...', which does not fit the predicate {relation!r}; use "
            "--wording sentence, or --predicates study"
        )
    return f"{layout}Is the {first} {relation} the {second}?"


def sentence(subject: str, relation: str, object: str) -> str:
    """The relation as a sentence.

    >>> sentence("Child Bed", "behind (wrt you)", "TV ")
    'The child bed is behind the TV as you see it.'
    """
    bare = relation.removesuffix(SEEN)
    seen = " as you see it" if bare != relation else ""
    return f"The {noun(subject)} {VERBS.get(bare, f'is {bare}')} the {noun(object)}{seen}."


def noun(name: str) -> str:
    """What stands behind an article: spaces trimmed, no article of its own, small letters but for abbreviations.

    >>> noun(" a Red Cup"), noun("TV")
    ('red cup', 'TV')
    """
    text = " ".join(name.split())
    article = next((article for article in ARTICLES if text.lower().startswith(article)), "")
    words = text[len(article) :].split()
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)
