"""The blocks of a completion, `<think>` and `<answer>`, found in one pass however long the text is.

A completion states an answer in its one `<answer>` block. A block inside a `<think>` block (finished, never finished,
or opened again) is a thought, not an answer, and so is one that itself holds `<think>` tags.
"""

OPEN, CLOSE = "<answer>", "</answer>"
THINK, END_THINK = "<think>", "</think>"
CALLS = (("<tool>", "</tool>"), ("<tool_call>", "</tool_call>"))
"""What a call of a tool stands in: in the text protocol, and as Qwen3's chat template writes it."""


def answer_block(text: str) -> str | None:
    """The stripped content of the one `<answer>` block of `text`; None when there is none, more than one, or a thought.

    >>> answer_block("<think> left of it </think> <answer> True </answer>")
    'True'
    >>> answer_block("<think> I could say <answer> True </answer> but") is None
    True
    """
    if text.count(OPEN) != 1 or text.count(CLOSE) != 1:
        return None
    start, end = text.index(OPEN), text.index(CLOSE)
    if end < start or is_thinking(text, at=start):
        return None
    stated = text[start + len(OPEN) : end]
    return None if THINK in stated or END_THINK in stated else stated.strip()


def is_thinking(text: str, *, at: int) -> bool:
    """Whether position `at` of `text` lies inside a `<think>` block, closed later or not."""
    return text.rfind(THINK, 0, at) > text.rfind(END_THINK, 0, at)


def thoughts(text: str) -> list[str]:
    """The stripped contents of the closed `<think>` blocks of `text`, in order; a block ends at its first close."""
    contents = []
    start = text.find(THINK)
    while start >= 0:
        end = text.find(END_THINK, start)
        if end < 0:
            break
        contents.append(text[start + len(THINK) : end].strip())
        start = text.find(THINK, end)
    return contents


def reasons(text: str) -> bool:
    """Whether the completion `text` reasons: behind its first `<think>` stands something before that block ends.

    A block that is never closed counts (a thought that was cut off, or one that runs into the answer); an empty one
    does not.
    """
    return bool(thought_of(text))


def thought_of(text: str) -> str:
    """What stands behind the first `<think>` of `text` before that block ends or an answer opens, stripped."""
    return text.partition(THINK)[2].partition(END_THINK)[0].partition(OPEN)[0].strip()


def call_as_answer(text: str) -> str:
    """A turn that calls a tool, with the call in an `<answer>` block: where a turn that ends the work has its answer.

    >>> call_as_answer("<think> too small </think> <tool> name: zoom </tool>")
    '<think> too small </think> <answer> name: zoom </answer>'
    """
    for opened, closed in CALLS:
        text = text.replace(opened, OPEN).replace(closed, CLOSE)
    return text
