"""`correctness` and `soft_correctness`: the answer to a cryptogram, paid only where `<chars>` is decoded in full.

A model that mis-decodes and then mends the message by guessing English earns nothing. `correctness` is 1 for the right
answer; `soft_correctness` is the share of it that is right, and asks that the letters are joined
(`soft_correctness_code` asks it as r1_vlm's code does). None for rows that ask for no `<chars>`: `accuracy` is theirs.
"""

from functools import partial

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rewards.decoding import asks_chars, is_decoded
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.cryptogram.decoding import JoinGate, answer_credit
from vlm_grpo.tasks.cryptogram.task import LETTER_ROW, SEQUENCE_ROW, TASK
from vlm_grpo.tasks.view import AS_IS, View


def hard(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """1.0 for the right answer under `rule` beside a full decoding, else 0.0."""
    if not asks_chars(row):
        return None
    return float(is_decoded(completion, row) and TASK.outcome(completion, row, rule=rule).right)


def soft(completion: str, row: Row, *, rule: Rule, view: View = AS_IS, gate: JoinGate = "letters") -> float | None:
    """The gated credit of the answer under `rule` beside a full decoding, else 0.0."""
    if not asks_chars(row):
        return None
    said = TASK.answer(row).read(completion, rule)
    return answer_credit(said, TASK.truth(row), gate=gate) if said and is_decoded(completion, row) else 0.0


def _said(chars: str, answer: str) -> str:
    return f"<think> so <chars> {chars} </chars> </think>\n<answer> {answer} </answer>"


_GOLD = (
    (_said("c a t _ d o g", "cat dog"), SEQUENCE_ROW),
    (_said("a", "a"), LETTER_ROW),
)
_APART = tuple((_said("c a t _ d o g", answer), SEQUENCE_ROW) for answer in ("c a t _ d o g", "c a t d o g"))
_HACKS = (
    (_said("c a t _ d o x", "cat dog"), SEQUENCE_ROW),
    (_said(SEQUENCE_ROW.meta["code"], "cat dog"), SEQUENCE_ROW),
    (_said("cat dog", "cat dog"), SEQUENCE_ROW),
    ("<think> easy </think>\n<answer> cat dog </answer>", SEQUENCE_ROW),
    ("<think> <chars> c a t _ d o g </chars> </think> cat dog", SEQUENCE_ROW),
    (_said("b", "a"), LETTER_ROW),
    (_said("a", "b"), LETTER_ROW),
)

REWARDS = (
    Reward(name="correctness", score=hard, minimum=0.0, maximum=1.0, gold=_GOLD, hacks=(*_HACKS, *_APART)),
    Reward(
        name="soft_correctness",
        score=soft,
        minimum=0.0,
        maximum=1.0,
        gold=_GOLD,
        hacks=(*_HACKS, *_APART),
    ),
    Reward(
        name="soft_correctness_code",
        score=partial(soft, gate="code"),
        minimum=0.0,
        maximum=1.0,
        gold=_GOLD,
        hacks=_HACKS,
    ),
)
