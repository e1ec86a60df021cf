"""The task `cryptogram`: decode a message with the table in the picture (r1_vlm's second task)."""

from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers import text as free_text
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.base import Task
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.cryptogram.cipher import SPACE, encode, is_message, spaced
from vlm_grpo.tasks.cryptogram.decoding import answer_credit, chars_block
from vlm_grpo.tasks.cryptogram.questions import ASKS, NAME, Kind, problem
from vlm_grpo.tasks.view import View


def parse_message(text: str, relaxed: bool) -> str | None:
    """The message that `text` is: lower-case words; relaxed in capitals, in quotes, or with `_` between them too."""
    if relaxed:
        plain = free_text.parse(text.replace(SPACE, " "), relaxed)
        text = plain.lower() if plain else ""
    return text if is_message(text) else None


def parse_word(text: str, relaxed: bool) -> str | None:
    """The one word that `text` is, in lower case; its own case does not count, since the table is in capitals."""
    message = parse_message(text.lower(), relaxed)
    return message if message and " " not in message else None


WORD = AnswerKind(name="word", asks=ASKS["word"], refused="no single word of letters a to z", parse=parse_word)
MESSAGE = AnswerKind(
    name="message", asks=ASKS["sequence"], refused="no words of letters a to z with single spaces", parse=parse_message
)
KINDS: dict[Any, AnswerKind] = {"word": WORD, "sequence": MESSAGE}
"""By kind, as the rows' column `kind` says."""


def answer(row: Row) -> AnswerKind:
    """A word or a sequence of words; `UserError` where the row does not say which."""
    kind = row.meta.get("kind")
    if kind not in KINDS:
        raise UserError(f"row {row.id}: kind {kind!r} is neither word nor sequence; build the data set again")
    return KINDS[kind]


def credit(said: str, truth: str, row: Row, view: View) -> float:
    """The share of the answer that is right, gated (`answer_credit`)."""
    return answer_credit(said, truth)


def copied(completion: str, row: Row) -> bool:
    """Whether `<chars>`, or the answer, is the coded message."""
    code = row.meta["code"]
    stated = answer_block(completion)
    return chars_block(completion) == code or stated in (code, code.replace(" ", "").replace(SPACE, " "))


def out_of_alphabet(completion: str, row: Row) -> bool:
    """Whether an answer is stated that is no words of letters."""
    stated = answer_block(completion)
    return stated is not None and not is_message(stated.lower())


def _row(kind: Kind, message: str) -> Row:
    mapping = "bcdefghijklmnopqrstuvwxyza"
    code = spaced(encode(message, mapping))
    return Row(
        id=f"example-{kind}",
        images=("images/table.png",),
        problem=problem(kind, code),
        solution=message,
        task=NAME,
        meta={"kind": kind, "words": len(message.split()), "code": code, "mapping": mapping},
    )


WORD_ROW, SEQUENCE_ROW, LETTER_ROW = _row("word", "vision"), _row("sequence", "cat dog"), _row("sequence", "a")
"""Examples, for the rewards too."""

TASK = Task(
    name=NAME,
    answer=answer,
    credit=credit,
    slices={"words": "words"},
    probes={"copied": copied, "out_of_alphabet": out_of_alphabet},
    published="r1_vlm reports 96 % exact on one to three words with Qwen2.5-VL-3B, without n or an interval",
    gold=(
        ("<think> <chars> c a t _ d o g </chars> </think>\n<answer> cat dog </answer>", SEQUENCE_ROW),
        ("<answer>cat dog</answer>", SEQUENCE_ROW),
        ("<answer> a </answer>", LETTER_ROW),
        ("<answer> VISION </answer>", WORD_ROW),
        ("<answer> vision </answer>", WORD_ROW),
    ),
    hacks=(
        (f"<answer> {SEQUENCE_ROW.meta['code']} </answer>", SEQUENCE_ROW),
        ("<answer> bzs cnf </answer>", SEQUENCE_ROW),
        (f"<think> <chars> {SEQUENCE_ROW.meta['code']} </chars> </think>\n<answer> x </answer>", SEQUENCE_ROW),
        ("<answer> c a t _ d o g </answer>", SEQUENCE_ROW),
        ("<answer> c a t  d o g </answer>", SEQUENCE_ROW),
        ("<answer> c a t d o g </answer>", SEQUENCE_ROW),
        ("<answer> cat dog </answer> <answer> cat dog </answer>", SEQUENCE_ROW),
        ("<think> <answer> cat dog </answer>", SEQUENCE_ROW),
        ("<answer> cat dog, or cat fog </answer>", SEQUENCE_ROW),
        ("cat dog", SEQUENCE_ROW),
        ("", SEQUENCE_ROW),
        ("<answer> b </answer>", LETTER_ROW),
        ("<answer> v i s i o n </answer>", WORD_ROW),
        ("<answer> uhrhnm </answer>", WORD_ROW),
        ("<answer> vision or mission </answer>", WORD_ROW),
    ),
)
