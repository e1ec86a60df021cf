"""`line_format` and `chars_format`: r1_vlm's formats, with every tag counted.

One `<think>` block, exactly one newline, one `<answer>` block, nothing else but a last newline; `chars_format` asks for
one `<chars>` block inside the thought too. r1_vlm's patterns let a second `<chars>`, `<answer>` or `</think>` pass;
here none does. `format` leaves the spaces between the blocks free.
"""

import re
from functools import partial

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.blocks import CLOSE, END_THINK, OPEN, THINK
from vlm_grpo.tasks.cryptogram.decoding import chars_block
from vlm_grpo.tasks.cryptogram.questions import CHARS, END_CHARS
from vlm_grpo.tasks.view import AS_IS, View

_WHOLE = re.compile(f"{THINK}(?P<thought>.*){END_THINK}\n{OPEN}(?P<answer>.*){CLOSE}\n?", re.DOTALL)
_TAGS = (THINK, END_THINK, OPEN, CLOSE)


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS, with_chars: bool = False) -> float:
    """1.0 for the asked format, 0.0 otherwise; row, rule and view play no part."""
    tags = (*_TAGS, CHARS, END_CHARS) if with_chars else _TAGS
    match = _WHOLE.fullmatch(completion)
    if match is None or any(completion.count(tag) != 1 for tag in tags):
        return 0.0
    parts = [match["thought"], match["answer"], *([chars_block(completion) or ""] if with_chars else [])]
    return float(all(part.strip() for part in parts))


_ROW = Row(id="example", images=(), problem="Decode it: b", solution="a", task="cryptogram", meta={"kind": "sequence"})
_PLAIN = (
    "<think> so </think> <answer> a </answer>",
    "<think> so </think>\n\n<answer> a </answer>",
    "\n<think> so </think>\n<answer> a </answer>",
    "<think> so </think>\n<answer> a </answer> done",
    "<think> so </think>\n<answer> a </answer>\n\n",
    "<think> so </think>\n<think> so </think>\n<answer> a </answer>",
    "<think> so </think></think>\n<answer> a </answer>",
    "<think> so </think>\n<answer> a </answer> or <answer> b </answer>",
    "<think> so <answer> a </answer> </think>\n<answer> a </answer>",
    "<think> </think>\n<answer> a </answer>",
    "<think> so </think>\n<answer> </answer>",
    "<answer> a </answer>",
    "",
)
_CHARS = (
    "<think> so </think>\n<answer> a </answer>",
    "<think> so <b> </think>\n<answer> a </answer>",
    "<think> so <chars> </chars> </think>\n<answer> a </answer>",
    "<think> <chars> b </chars> <chars> a </chars> </think>\n<answer> a </answer>",
    "<think> so </think> <chars> a </chars> </think>\n<answer> a </answer>",
    "<think> so </think>\n<answer> <chars> a </chars> </answer>",
)


def _with_chars(text: str) -> str:
    return text.replace("so", "so <chars> a </chars>", 1)


REWARDS = (
    Reward(
        name="line_format",
        score=score,
        minimum=0.0,
        maximum=1.0,
        each_turn=True,
        gold=(
            ("<think> so </think>\n<answer> a </answer>", _ROW),
            ("<think> so\n<b> <chars> a </chars> </think>\n<answer>\na\n</answer>\n", _ROW),
        ),
        hacks=tuple((text, _ROW) for text in _PLAIN),
    ),
    Reward(
        name="chars_format",
        score=partial(score, with_chars=True),
        minimum=0.0,
        maximum=1.0,
        gold=(
            ("<think> so <chars> a </chars> </think>\n<answer> a </answer>", _ROW),
            ("<think><chars>a</chars>\nsure</think>\n<answer>a</answer>\n", _ROW),
        ),
        hacks=tuple((text, _ROW) for text in (*map(_with_chars, _PLAIN), *_CHARS)),
    ),
)
