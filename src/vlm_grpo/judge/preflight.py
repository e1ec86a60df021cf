"""Before the first call: does the server still serve this model, and until when?

Asks the model list, which costs nothing. OpenAI's names last and its models do not: `o4-mini`, the judge of the study,
left the API on 2026-10-23.
"""

import sys
from datetime import UTC, date, datetime

import openai

from vlm_grpo.judge.models import ModelFacts
from vlm_grpo.judge.openai_api import OPENAI_URL, Settings, client, sorted_error
from vlm_grpo.judge.providers import RefusedError, TransientError

WARN_DAYS = 90
STORED = "its stored verdicts are in results/paper/alignment (python alignment_judge/statistics.py)"
ATTEMPTS = 5


async def check_model(settings: Settings, facts: ModelFacts | None) -> None:
    """`RefusedError` when the server does not list the model; a line on stderr when it will be gone soon."""
    listed = await _models(settings)
    found = next((model for model in listed if model.id == settings.model), None)
    if found is None:
        raise RefusedError(gone_message(settings.model, facts, [model.id for model in listed]))
    announced = getattr(found, "shutdown_date", None)
    known = facts.shutdown if facts and settings.base_url is None else None
    shutdown = date.fromisoformat(announced[:10]) if announced else known
    left = (shutdown - datetime.now(UTC).date()).days if shutdown else None
    if left is not None and left <= WARN_DAYS:
        when = f"leaves the API on {shutdown} ({left} days)" if left >= 0 else f"was to leave the API on {shutdown}"
        print(f"warning: {settings.model} {when}; choose another with --model to judge later", file=sys.stderr)


def gone_message(model: str, facts: ModelFacts | None, listed: list[str]) -> str:
    """One line on a model that is not served: since when, what remains of it, what to do."""
    since = f" (it left the API on {facts.shutdown})" if facts and facts.shutdown else ""
    stored = f"; {STORED}" if model.startswith("o4-mini") else ""
    served = f"; this server has {', '.join(sorted(listed)[:5])}" if listed else ""
    return f"the server does not serve {model}{since}{stored}; choose another judge with --model{served}"


async def _models(settings: Settings) -> list[openai.types.Model]:
    """The server's model list; transient errors are tried again by the SDK."""
    one = client(settings).with_options(max_retries=ATTEMPTS)
    try:
        return [model async for model in one.models.list()]
    except openai.OpenAIError as error:
        told = sorted_error(error, settings)
        if isinstance(told, TransientError):
            where = settings.base_url or OPENAI_URL
            raise RefusedError(f"no answer from {where} ({told.reason}); check --base-url and the network") from None
        raise told from None
    finally:
        await one.close()
