"""What judging costs: an estimate before, the sum after, and a bound that stops in time.

The estimate counts four characters as a token (English); the bound counts
every byte as one and every answer at its longest, so that the limit holds whatever happens.
"""

from dataclasses import dataclass

from vlm_grpo.judge.models import ModelFacts

CHARACTERS_PER_TOKEN = 4
SCHEMA_TOKENS = 500
"""More than the answer's schema and the envelope of a request add to its texts."""


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


class Budget:
    """Dollars that may be spent: calls reserve their bound first and settle what they cost.

    `limit` None allows everything.
    """

    def __init__(self, limit: float | None, spent: float) -> None:
        self.limit = limit
        self.spent = spent
        self.reserved = 0.0

    def reserve(self, dollars: float) -> bool:
        """Set `dollars` aside; False when that could exceed the limit."""
        if self.limit is not None and self.spent + self.reserved + dollars > self.limit:
            return False
        self.reserved += dollars
        return True

    def settle(self, reserved: float, *, spent: float) -> None:
        """Give `reserved` back; all that was spent so far is `spent`."""
        self.reserved -= reserved
        self.spent = spent

    @property
    def idle(self) -> bool:
        """No reservation is open: what does not fit now will never fit."""
        return self.reserved < 1e-12
