"""What the judge's command tells: what a run would cost, why verdicts are missing or left, what was spent."""

from argparse import Namespace
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from vlm_grpo.verdicts import pricing
from vlm_grpo.verdicts.models import ModelFacts
from vlm_grpo.verdicts.providers import Call, Key
from vlm_grpo.verdicts.runner import Tally
from vlm_grpo.verdicts.spending import Spending

_LONGEST_REASON = 80


def estimate(
    calls: Collection[Call], done: Collection[Key], given: Namespace, facts: ModelFacts | None
) -> Iterator[str]:
    """Lines on calls, tokens and cost of what is not `done`."""
    unjudgeable = sum(call.item.unjudgeable is not None for call in calls)
    asked = [call for call in calls if not call.item.unjudgeable and call.key not in done]
    each = [pricing.estimated_usage(call.texts, given.output_tokens) for call in asked]
    usage = pricing.Usage(sum(u.input for u in each), sum(u.output for u in each))
    dollars = pricing.cost(usage, facts, batch=given.batch)
    yield f"calls: {len(asked)}, {len(done)} verdicts are there already, {unjudgeable} have nothing to ask about"
    yield f"tokens: about {usage.input:,} in, {usage.output:,} out ({given.output_tokens} expected an answer)"
    if given.judge == "rules":
        yield "cost: none"
    elif dollars is None:
        yield f"cost: unknown, no price of {given.model} in {given.models.name}"
    else:
        yield f"cost: about ${dollars:.2f}{' with --batch' if given.batch else ''}"


def reasons(verdicts: Collection[Mapping[str, Any]]) -> Counter[str]:
    """How many verdicts are missing for which reason, without its details."""
    missing = (str(record["missing"]) for record in verdicts if record["missing"])
    return Counter(reason.partition("(")[0].strip()[:_LONGEST_REASON] for reason in missing)


def money(spending: Spending, facts: ModelFacts | None) -> dict[str, Any]:
    """The manifest's entries on calls and dollars; `cost` counts at its bound what is not known exactly."""
    calls = {
        "sent": spending.sent,
        "free": spending.free,
        "lost": spending.unanswered,
        "without usage": spending.unmetered,
    }
    return {
        "calls": calls,
        "cost": spending.spent if facts else None,
        "cost_at_bound": spending.uncertain if facts else None,
    }


def lost(spending: Spending, facts: ModelFacts | None) -> str:
    """Calls without an answer, in words."""
    at_bound = f", counted at most (${spending.uncertain:.4f})" if facts else ""
    return f"{spending.unanswered} calls were sent, may have been paid, and have no answer in the store{at_bound}"


def uncertain(spending: Spending) -> str:
    """What of the cost is a bound, in words; nothing when all is exact."""
    calls = spending.unanswered + spending.unmetered
    if not calls:
        return ""
    return f" at most; ${spending.uncertain:.4f} of it is the bound of {calls} calls whose cost the server did not tell"


def left_over(left: int, outcome: Tally, spending: Spending, given: Namespace) -> str:
    """One line on what is left to do, and how."""
    if outcome.out_of_budget:
        return (
            f"stopped before --max-cost {given.max_cost:g}: ${spending.spent:.4f} spent{uncertain(spending)}, {left} "
            f"verdicts left; {given.out} is whole, go on with a higher --max-cost"
        )
    why = ", ".join(f"{reason} {count}" for reason, count in outcome.unanswered.most_common())
    said = f"; the server said: {outcome.said}" if outcome.said else ""
    return f"{left} verdicts are left ({why}); run the same command again to ask for those{said}"
