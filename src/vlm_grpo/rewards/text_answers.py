"""`mcq`, `yes_no`, `math` and `all_match`: 1 when the answer is the reference, both read as one kind of answer, else 0.

mcq         a letter: `B`, `(B)`, `B)`, `B.`
yes_no      Yes or No; "not sure" and "none" are neither
math        a formula, compared as mathematics
all_match   text, without regard to case, spaces and a final period

Each reads all rows alike, whatever their task; `accuracy` on own records goes by the method of each record. None where
the reference is no answer of the kind: such a row is not scored, rather than right for whoever says nothing either.
"""

from functools import partial

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.choice import CHOICE
from vlm_grpo.tasks.answers.formula import FORMULA
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.answers.text import TEXT
from vlm_grpo.tasks.answers.truth import YES_NO
from vlm_grpo.tasks.view import AS_IS, View


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS, kind: AnswerKind) -> float | None:
    """1.0 for the reference as the completion's one answer under `rule`, else 0.0; None without such a reference."""
    truth = kind.reference(row.solution)
    if truth is None:
        return None
    said = kind.read(completion, rule)
    return float(said is not None and kind.same(said, truth))


def _row(solution: str) -> Row:
    return Row(id="example", images=(), problem="Which is it?", solution=solution, task="jsonl")


def _reward(name: str, kind: AnswerKind, *, gold: dict[str, str], hacks: dict[str, tuple[str, ...]]) -> Reward:
    """The reward; `gold` has references by answer, `hacks` answers by reference. A text without tags earns nothing."""
    right = tuple((f"<think> so </think> <answer> {said} </answer>", _row(truth)) for said, truth in gold.items())
    wrong = tuple((f"<answer> {said} </answer>", _row(truth)) for truth, texts in hacks.items() for said in texts)
    untagged = tuple((said, _row(truth)) for said, truth in gold.items())
    return Reward(
        name=name, score=partial(score, kind=kind), minimum=0.0, maximum=1.0, gold=right, hacks=(*wrong, *untagged)
    )


REWARDS = (
    _reward(
        "mcq",
        CHOICE,
        gold={"B": "B", "(B)": "B", "B)": "B", "B.": "(B)", "b": "B.", "(I)": "I"},
        hacks={
            "B": ("C", "B or C", "ABCD", "A, B", "A) or B)", "", "none of these"),
            "A": ("a bus", "the answer is A or B"),
        },
    ),
    _reward(
        "yes_no",
        YES_NO,
        gold={"Yes": "yes", "no.": "No", "NO": "<answer> no </answer>"},
        hacks={"No": ("not sure", "none", "I know", "yes or no", "", "cannot tell"), "Yes": ("yes and no", "eyes")},
    ),
    _reward(
        "math",
        FORMULA,
        gold={r"\frac{1}{2}": "0.5", "$x^2 + 2x + 1$": "(x+1)^2", "140°": r"140^\circ", "1,000": "1000", "x = 5": "5"},
        hacks={
            "5": ("1 or 2 or 5", "4, 5, 6", "$4$ or $5$", "5x", "five", "", "9^{9^{9^9}}", r"\boxed{4} \boxed{6}"),
            r"\frac{1}{2}": ("2", r"\frac{2}{1}", "1 2"),
            "(1, 2)": ("(1, 3)", "1"),
        },
    ),
    _reward(
        "all_match",
        TEXT,
        gold={"Operation  no response.": "Operation No Response", "Straße": "STRASSE"},
        hacks={
            "Operation No Response": (
                "Operation No Respond",
                "Operation No Response, Unexpected Task Result",
                "no Operation No Response",
                "",
            )
        },
    ),
)
