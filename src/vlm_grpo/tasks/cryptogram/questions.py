"""How a cryptogram is asked: r1_vlm's two kinds of rows, single words and sequences of words, in our own wording."""

from typing import Literal

NAME = "cryptogram"
Kind = Literal["word", "sequence"]

KINDS: tuple[Kind, ...] = ("word", "sequence")
CHARS, END_CHARS = "<chars>", "</chars>"

TABLE = "The picture is a table that shows for each letter of a code which letter it stands for."
LINE = "Begin the line after </think> with <answer>."
PROBLEMS: dict[Kind, str] = {
    "word": f"{TABLE} The coded message is one English word, its letters apart. {LINE} Decode it: ",
    "sequence": (
        f"{TABLE} The coded message is one or more words, its letters apart; an underscore stands for a space. "
        "While you think, write the decoded letters in the same way, in order, inside <chars> </chars>: "
        "<chars> c a t _ d o g </chars> if they are those of cat dog. Take your time and check each letter. "
        f"{LINE} Decode it: "
    ),
}
"""The coded message follows."""
ASKS: dict[Kind, str] = {
    "word": "the decoded word",
    "sequence": "the decoded words with a space between them",
}
"""What the `reason` prompt says of the final answer."""


def problem(kind: Kind, code: str) -> str:
    """What is asked about `code`, whose letters stand apart."""
    return PROBLEMS[kind] + code
