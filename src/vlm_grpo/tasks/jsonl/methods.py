"""How an answer of own data is read and compared: the record's `accu_reward_method`, or that of its file.

default      by the reference answer: a number, a list of numbers, the letter of a choice, else text
mcq          the letter of a choice
yes_no       Yes or No
true_false   True or False
number       a number
math         a formula, compared as mathematics
llm          text, compared by a judge (reward `llm`)
all_match    text, whole, without regard to case, spaces and a final period

VLM-R1's others compare lists of boxes, and are refused by name: what a box is worth hangs on the frame that it is in,
which `python -m vlm_grpo.tasks.detection.records` asks for when it makes a data set of `detection` of such records.
"""

import json
from collections.abc import Callable
from dataclasses import replace

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.choice import CHOICE
from vlm_grpo.tasks.answers.formula import FORMULA
from vlm_grpo.tasks.answers.number import NUMBER, NUMBERS, parse, parse_list
from vlm_grpo.tasks.answers.text import TEXT
from vlm_grpo.tasks.answers.truth import TRUTH, YES_NO

DEFAULT, JUDGED = "default", "llm"
ANY_NUMBER = replace(NUMBER, asks="a number")
ANY_NUMBERS = replace(NUMBERS, asks="a list of numbers in square brackets")


def by_reference(solution: str) -> AnswerKind:
    """The kind of answer that the reference `solution` is.

    >>> by_reference("18").name, by_reference("B").name, by_reference("a bus").name
    ('number', 'choice', 'text')
    """
    if parse(solution, relaxed=False) is not None:
        return ANY_NUMBER
    if solution.startswith("[") and parse_list(solution, relaxed=False):
        return ANY_NUMBERS
    return CHOICE if len(solution) == 1 and "A" <= solution <= "Z" else TEXT


METHODS: dict[str, Callable[[str], AnswerKind]] = {
    DEFAULT: by_reference,
    "mcq": lambda solution: CHOICE,
    "yes_no": lambda solution: YES_NO,
    "true_false": lambda solution: TRUTH,
    "number": lambda solution: ANY_NUMBER,
    "math": lambda solution: FORMULA,
    "all_match": lambda solution: TEXT,
    JUDGED: lambda solution: TEXT,
}
BOXES = {"map": "map", "od_ap": "map", "od_ap50": "map50", "odLength": "odLength", "weighted_sum": "weighted_sum"}
"""VLM-R1's methods for lists of boxes, and what the reward is called here."""


def check(method: object) -> str:
    """`method`, where it is known; `UserError` that names those that are."""
    if isinstance(method, str) and method in METHODS:
        return method
    reward = BOXES.get(method) if isinstance(method, str) else None
    way = "build theirs with python -m vlm_grpo.tasks.detection.records and give it as --data with --rewards"
    reason = f" (it compares lists of boxes, a task of their own: {way} {reward})" if reward else ""
    raise UserError(f"accu_reward_method {json.dumps(method)} is not known here{reason}; known: {', '.join(METHODS)}")


def kind_of(method: str, solution: str) -> AnswerKind:
    """The kind of answer by `method` where the reference answer is `solution`."""
    return METHODS[check(method)](solution)
