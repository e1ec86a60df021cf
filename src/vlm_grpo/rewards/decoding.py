"""`decoding` and its laxer kin: how much of the message in `<chars>` is decoded right.

decoding            letters only, and nearer to the truth than the code is (the blog's gate): pays least
decoding_spaced     the blog's gate, by the text with its spaces, of which every proposal has about half for nothing
decoding_code       the same by the gate of r1_vlm's code, which random letters pass too
decoding_ungated    no gate: copying the code into `<chars>` pays (r1_vlm's training collapsed on it)

Mean pay in messages of two words (`tests/tasks/cryptogram/test_floors.py` has the others, from a seed):

                    the code copied   random letters   each letter right or random by a coin
decoding            0                 .03              .52
decoding_spaced     0                 .17              .77
decoding_code       0                 .41              .77
decoding_ungated    .54               .54              .77

None for rows that ask for no `<chars>`.
"""

from functools import partial

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.cryptogram.cipher import spaced
from vlm_grpo.tasks.cryptogram.decoding import Gate, Measure, chars_block, decoding_credit
from vlm_grpo.tasks.cryptogram.questions import NAME
from vlm_grpo.tasks.cryptogram.task import LETTER_ROW, SEQUENCE_ROW, TASK
from vlm_grpo.tasks.view import AS_IS, View

KINDS: dict[str, tuple[Measure, Gate]] = {
    "decoding": ("letters", "blog"),
    "decoding_spaced": ("spaced", "blog"),
    "decoding_code": ("spaced", "code"),
    "decoding_ungated": ("spaced", "none"),
}


def asks_chars(row: Row) -> bool:
    """Whether `row` asks for `<chars>`."""
    return row.task == NAME and row.meta.get("kind") == "sequence"


def is_decoded(completion: str, row: Row) -> bool:
    """Whether the completion decodes the message of `row` in `<chars>` without a mistake: full decoding credit."""
    return chars_block(completion) == spaced(TASK.truth(row))


def score(
    completion: str, row: Row, *, rule: Rule, view: View = AS_IS, measure: Measure = "letters", gate: Gate = "blog"
) -> float | None:
    """The credit of the decoding, 0 to 1; rule and view play no part."""
    if not asks_chars(row):
        return None
    return decoding_credit(
        chars_block(completion), truth=spaced(TASK.truth(row)), code=row.meta["code"], measure=measure, gate=gate
    )


def _wrapped(chars: str) -> str:
    return f"<think> so <chars> {chars} </chars> </think>\n<answer> x </answer>"


_GOLD = ((_wrapped("c a t _ d o g"), SEQUENCE_ROW), (_wrapped("a"), LETTER_ROW))
_HACKS = (
    ("<chars> c a t _ d o g </chars> <answer> cat dog </answer>", SEQUENCE_ROW),
    ("<think> <chars> c a t _ d o g </chars> <chars> c a t _ d o g </chars> </think>", SEQUENCE_ROW),
    ("<think> c a t _ d o g </think> <answer> cat dog </answer>", SEQUENCE_ROW),
    ("<think> <chars> c a t _ d o g </think>", SEQUENCE_ROW),
    ("<think> <chars> <answer> c a t _ d o g </answer> </chars> </think>", SEQUENCE_ROW),
    (_wrapped(""), SEQUENCE_ROW),
)
_COPIED = ((_wrapped(SEQUENCE_ROW.meta["code"]), SEQUENCE_ROW), (_wrapped(LETTER_ROW.meta["code"]), LETTER_ROW))

REWARDS = tuple(
    Reward(
        name=name,
        score=partial(score, measure=measure, gate=gate),
        minimum=0.0,
        maximum=1.0,
        gold=_GOLD,
        hacks=_HACKS if gate == "none" else (*_HACKS, *_COPIED),
    )
    for name, (measure, gate) in KINDS.items()
)
