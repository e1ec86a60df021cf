"""How a completion is read: which part of it is the answer, and how strictly.

strict         the one `<answer>` block, which holds nothing but the answer
relaxed        the one `<answer>` block, with other spellings and a sentence around the answer
bare           the whole text is the answer (models trained to answer without tags)
bare_relaxed   the whole text, with other spellings and a sentence around the answer
"""

from typing import Literal, get_args

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.blocks import answer_block

Rule = Literal["strict", "relaxed", "bare", "bare_relaxed"]
RULES: tuple[str, ...] = get_args(Rule)


def stated(text: str, rule: Rule) -> str | None:
    """The part of `text` that states the answer under `rule`, stripped; None where there is none."""
    if rule not in RULES:
        raise UserError(f"unknown answer rule {rule!r}; known: {', '.join(RULES)}")
    return text.strip() if rule.startswith("bare") else answer_block(text)


def is_relaxed(rule: Rule) -> bool:
    """Whether `rule` takes other spellings and a sentence around the answer."""
    return rule.endswith("relaxed")
