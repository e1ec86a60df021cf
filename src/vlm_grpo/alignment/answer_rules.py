"""Named rules that read the answer out of a judged response, for verdicts that do not say whether it is right.

    published   the study's: the first word after the first `Answer:`, else the last non-empty line; what is not
                literally True or False is wrong ("No", ">False" and no answer at all included)
    strict      the package's extractor (`vlm_grpo.tasks.answers.truth`): one True/False word; anything else is
                unparsed, and how many were read is told beside the accuracy
    relaxed     the same with Yes and No, and with a sentence around the word

The responses that the study's judge saw are "polished": reasoning, then a line `Answer: X`, without tags (reference,
section 10.1). Its verdict files keep only that X.
"""

import re
from typing import Literal, get_args

from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.blocks import answer_block

AnswerRule = Literal["published", "strict", "relaxed"]
ANSWER_RULES: tuple[str, ...] = get_args(AnswerRule)
MARK = "Answer:"


def published_answer(response: str) -> str:
    """The answer that the published rule reads in a polished response, as text.

    >>> published_answer("The cat sits left of it.\\nAnswer: True. The cat")
    'True'
    >>> published_answer("no mark here\\n>False\\n")
    '>False'
    """
    word = re.match(r"\s*(\w+)", response.partition(MARK)[2])
    if word:
        return word.group(1)
    lines = [line.strip() for line in response.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def is_correct(response: str, label: bool, rule: AnswerRule) -> bool | None:
    """Whether a whole response answers `label`; None when `rule` cannot read it (never under `published`)."""
    if rule == "published":
        return published_answer(response).casefold() == str(label).casefold()
    stated = answer_block(response)
    answer = response.rpartition(MARK)[2] if stated is None and MARK in response else stated
    return None if answer is None else is_answer_correct(answer, label, rule)


def is_answer_correct(answer: str, label: bool, rule: AnswerRule) -> bool | None:
    """The same for an answer that stands alone, as in a verdict file."""
    if rule == "published":
        return is_correct(answer if MARK in answer else f"{MARK} {answer}", label, rule)
    value = TRUTH.read(answer, "bare_relaxed" if rule == "relaxed" else "bare")
    return None if value is None else value == label
