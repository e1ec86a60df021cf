"""A completion taken apart: what stands before the thought, the thought, and what leads from it to the answer."""

import re
from dataclasses import dataclass

from vlm_grpo.tasks.blocks import END_THINK, OPEN, THINK, answer_block, thoughts

LEAST_UNITS = 4
"""A thought of fewer sentences is cut at its commas too, and one of fewer clauses between its words."""
_CUTS = (r"(?<=[.!?])\s+|\n+", r"(?<=[.!?,;:])\s+|\n+", r"\s+")


@dataclass(frozen=True, slots=True)
class Parts:
    """`head` + `thought` + `bridge` is the completion up to and with its `<answer>`."""

    head: str
    thought: str
    bridge: str

    def with_thought(self, thought: str) -> str:
        """The completion up to and with `<answer>`, with another thought."""
        return f"{self.head}{thought}{self.bridge}"


def parts_of(text: str) -> Parts | None:
    """The parts of `text`; None unless it has one thought that says something, and then one answer.

    >>> parts_of("<think> It is left. </think> <answer> True </answer>")
    Parts(head='<think> ', thought='It is left.', bridge=' </think> <answer>')
    """
    if len(thoughts(text)) != 1 or answer_block(text) is None:
        return None
    start = text.index(THINK) + len(THINK)
    end, stated = text.index(END_THINK), text.index(OPEN)
    thought = text[start:end].strip()
    if stated < end or not thought:
        return None
    at = text.index(thought, start)
    return Parts(text[:at], thought, text[at + len(thought) : stated + len(OPEN)])


def sentences(thought: str) -> list[tuple[int, int]]:
    """Where each sentence of `thought` begins and ends; at least one, `thought` says something.

    >>> sentences("One. Two.")
    [(0, 4), (5, 9)]
    """
    ends = [(match.start(), match.end()) for match in re.finditer(_CUTS[0], thought)]
    starts = [0, *(end for _, end in ends)]
    return list(zip(starts, [*(start for start, _ in ends), len(thought)], strict=True))


def cut(thought: str, share: float) -> str:
    """The first `share` (0 to 1) of the units of `thought`: sentences, clauses or words (`LEAST_UNITS`).

    >>> cut("One. Two. Three. Four.", 0.5)
    'One. Two.'
    """
    for pattern in _CUTS:
        ends = [match.start() for match in re.finditer(pattern, thought)] + [len(thought)]
        if len(ends) >= LEAST_UNITS:
            break
    kept = round(share * len(ends))
    return thought[: ends[kept - 1]] if kept else ""
