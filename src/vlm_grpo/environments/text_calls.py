"""Calls of tools in the text protocol: a `<tool>` block of `key: value` lines that ends the model's turn.

    <think> The letters are too small. </think>
    <tool>
    name: zoom
    keypoint: [120, 80]
    </tool>

What follows comes back in a `<result>` block. The block is read line by line and its values by each tool's own pattern:
nothing that a model writes is ever run, read by a parser of a programming language, or repeated to it as the
environment's words (in which a spelt-out control token would be one). A turn that states an answer ends the
conversation, whatever else it holds.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vlm_grpo.environments.base import Reply
from vlm_grpo.tasks.blocks import answer_block, is_thinking

OPEN, CLOSE = "<tool>", "</tool>"
LINE = re.compile(r"([a-z_]+) *: *(.*)")


class ToolError(ValueError):
    """A call that cannot be answered: the reason is told to the model, and counted."""


@dataclass(frozen=True)
class Call:
    """The tool's name and its arguments as they are written."""

    name: str
    arguments: Mapping[str, str]


Tool = Callable[[Mapping[str, str]], Reply]
"""The arguments as they are written -> the reply; `ToolError` where they are wrong."""


def answer_call(text: str, tools: Mapping[str, Tool]) -> Reply | None:
    """What `tools`, by name, reply to the model's turn `text`; None where it calls none, or states an answer."""
    if answer_block(text) is not None or (OPEN not in text and CLOSE not in text):
        return None
    try:
        call = read_call(text)
        if call.name not in tools:
            raise ToolError(f"there is no tool of that name; there is {', '.join(tools)}")
        return tools[call.name](call.arguments)
    except ToolError as error:
        return Reply(text=result(f"Error: {error}"), is_call=True, is_error=True)


def result(text: str) -> str:
    """`text` as the environment writes it."""
    return f"<result>\n{text}\n</result>"


def read_call(text: str) -> Call:
    """The one call at the end of `text`; `ToolError` where it is none."""
    if text.count(OPEN) != 1 or text.count(CLOSE) != 1 or text.index(CLOSE) < text.index(OPEN):
        raise ToolError(f"a call is one {OPEN} block and its {CLOSE}")
    before, _, rest = text.partition(OPEN)
    body, _, after = rest.partition(CLOSE)
    if is_thinking(text, at=len(before)):
        raise ToolError(f"a call stands behind the reasoning, and this {OPEN} block stands in it")
    if after.strip():
        raise ToolError(f"nothing may follow on {CLOSE}")
    lines = [LINE.fullmatch(line.strip()) for line in body.strip().splitlines()]
    pairs = [(line[1], line[2]) for line in lines if line is not None]
    if len(pairs) != len(lines) or not pairs or pairs[0][0] != "name":
        raise ToolError(
            f"a {OPEN} block holds lines of the form key: value, the first of them name: and the tool's name"
        )
    if len(dict(pairs)) != len(pairs):
        raise ToolError("a key is given twice")
    return Call(name=pairs[0][1], arguments=dict(pairs[1:]))
