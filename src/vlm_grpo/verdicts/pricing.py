"""What one call costs: an estimate before, the price after, and a bound for a call whose price nobody tells.

The estimate counts four characters as a token (English); the bound counts every byte as one and every answer at its
longest.
"""

from dataclasses import dataclass

from vlm_grpo.verdicts.models import ModelFacts

CHARACTERS_PER_TOKEN = 4
SCHEMA_TOKENS = 500
"""More than the answer's schema and the envelope of a request add to its texts."""
MOST_TOKENS = 20_000_000
"""More than any model takes and gives in one call."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `output` includes reasoning."""

    input: int
    output: int


def cost(usage: Usage | None, facts: ModelFacts | None, *, batch: bool = False) -> float | None:
    """US dollars of one call; None when usage or price are unknown."""
    if usage is None or facts is None:
        return None
    dollars = (usage.input * facts.input + usage.output * facts.output) / 1e6
    return dollars * facts.batch_factor if batch else dollars


def estimated_usage(texts: tuple[str, ...], output_tokens: int) -> Usage:
    """What a call with these texts will likely use, answering with `output_tokens`."""
    return Usage(sum(map(len, texts)) // CHARACTERS_PER_TOKEN, output_tokens)


def largest_usage(texts: tuple[str, ...], max_output_tokens: int) -> Usage:
    """A bound on what a call with these texts can use."""
    return Usage(sum(len(text.encode()) for text in texts) + SCHEMA_TOKENS, max_output_tokens)


def largest_cost(
    texts: tuple[str, ...], max_output_tokens: int, facts: ModelFacts | None, *, batch: bool = False
) -> float:
    """A bound in US dollars on a call with these texts; 0 where no price is known."""
    return cost(largest_usage(texts, max_output_tokens), facts, batch=batch) or 0.0
