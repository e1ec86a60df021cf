"""How sure the model was of its answer: probabilities of the row's options at the first token that tells them apart.

The completion is read up to its answer; what the options' tokens have in common is read too. Among the first tokens in
which they differ, probabilities are renormalised. Rows whose options are not few (numbers, boxes) have none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vlm_grpo.faithfulness.parts import parts_of
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.blocks import OPEN
from vlm_grpo.tasks.registry import task_of


@dataclass(frozen=True, slots=True)
class Fork:
    """`prefill` is what all options begin with, `tokens` the next token's id of each, `gold` the place of the one asked
    about: the true one, as a rule."""

    prefill: str
    tokens: tuple[int, ...]
    gold: int


@dataclass(frozen=True, slots=True)
class Confidence:
    """The probability of the true answer among the options, and their entropy in nats."""

    gold: float
    entropy: float


def fork_of(
    row: Row,
    text: str,
    *,
    encode: Callable[[str], list[int]],
    decode: Callable[[list[int]], str],
    gold: Any = None,
) -> Fork | None:
    """Where the options of `row` part behind the completion `text` up to its answer; None where they do not.

    `encode` and `decode` are the tokenizer's, without special tokens. `gold` is the option asked about: the true one,
    if not given.
    """
    task = task_of(row)
    options = task.counterfactuals_of(row).options(row)
    parts = parts_of(text)
    asked = task.truth(row) if gold is None else gold
    if len(options) < 2 or parts is None or asked not in options:
        return None
    before = parts.with_thought(parts.thought)
    after = text[text.index(OPEN) + len(OPEN) :]
    lead = after[: len(after) - len(after.lstrip())]
    written = [encode(before + lead + task.answer(row).write(option)) for option in options]
    shared = 0
    while all(len(ids) > shared for ids in written) and len({ids[shared] for ids in written}) == 1:
        shared += 1
    if any(len(ids) <= shared for ids in written) or len({ids[shared] for ids in written}) < len(options):
        return None
    return Fork(decode(written[0][:shared]), tuple(ids[shared] for ids in written), options.index(asked))


def confidence_at(fork: Fork, log_probabilities: Sequence[float]) -> Confidence:
    """From the logits or log-probabilities of the fork's tokens, in its order; any constant may be added to them."""
    highest = max(log_probabilities)
    weights = [math.exp(value - highest) for value in log_probabilities]
    shares = [weight / sum(weights) for weight in weights]
    return Confidence(shares[fork.gold], -sum(share * math.log(share) for share in shares if share > 0))


def survives_auroc(scores: Sequence[float], survives: Sequence[bool]) -> float | None:
    """Area under the ROC curve of `scores` for what survives; None unless some do and some do not."""
    if len(set(survives)) < 2:
        return None
    from sklearn.metrics import roc_auc_score  # takes a second to import

    value: Any = roc_auc_score(survives, scores)
    return float(value)
