"""Before the first call: does the server still serve this model, and until when?

Asks the model list, which costs nothing. OpenAI's names last and its models do not: `o4-mini`, the judge of the study,
left the API on 2026-10-23. Lists come in several shapes, and some servers keep none; then the first call has to tell.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import openai

from vlm_grpo.verdicts.classify import NO_PLACE
from vlm_grpo.verdicts.envelopes import decode
from vlm_grpo.verdicts.keys import redact
from vlm_grpo.verdicts.models import ModelFacts
from vlm_grpo.verdicts.openai_api import OPENAI_URL, Settings, client, exchange
from vlm_grpo.verdicts.patience import patiently
from vlm_grpo.verdicts.providers import RefusedError, RejectedError, TransientError

WARN_DAYS = 90
STORED = "its stored verdicts are in results/paper/alignment (python alignment_judge/statistics.py)"
ATTEMPTS = 5
_MILLISECONDS = 1e11
_NAMES = ("id", "name", "model")


async def check_model(settings: Settings, facts: ModelFacts | None, *, first_wait: float = 1.0) -> None:
    """`RefusedError` when the server does not list the model; a line on stderr when it will be gone soon."""
    listed = await _models(settings, first_wait)
    if listed is None:
        print("warning: the server keeps no list of its models; the first call will tell", file=sys.stderr)
        return
    model = next((listed[name] for name in (settings.model, f"models/{settings.model}") if name in listed), None)
    if model is None:
        raise RefusedError(redact(gone_message(settings.model, facts, list(listed)), settings.key))
    known = facts.shutdown if facts and settings.base_url is None else None
    announced = model.get("shutdown_date")
    shutdown = _date(announced) or known
    if isinstance(announced, str) and announced.strip() and shutdown is None:
        said = redact(announced, settings.key)[:40]
        print(f"warning: {settings.model} leaves the API, says the server: {said!r}", file=sys.stderr)
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


async def _models(settings: Settings, first_wait: float) -> dict[str, Mapping[str, Any]] | None:
    """The server's models by name; None when it has no such list."""
    one = client(settings)

    async def ask() -> dict[str, Mapping[str, Any]]:
        body = await exchange(settings, one.get("/models", cast_to=openai.HttpxBinaryResponseContent))
        listed = read_list(body)
        if listed is None:
            raise settings.replies.error(body, status=200)
        return listed

    try:
        return await patiently(ask, attempts=ATTEMPTS, first_wait=first_wait)
    except RefusedError as error:
        if error.status in NO_PLACE:
            return None
        raise
    except TransientError as error:
        where = settings.base_url or OPENAI_URL
        raise RefusedError(f"no answer from {where}: {error}; check --base-url and the network") from None
    except RejectedError as error:
        raise RefusedError(f"the server does not list its models ({error}); check --base-url and the key") from None
    finally:
        await one.close()


def read_list(body: bytes) -> dict[str, Mapping[str, Any]] | None:
    """The models in `body` by name: OpenAI's shape, a bare list, or Ollama's. None when it is no list of models."""
    try:
        value = json.loads(decode(body), strict=False)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = next((value[name] for name in ("data", "models") if isinstance(value.get(name), list)), None)
    if not isinstance(value, list):
        return None
    entries = [{"id": entry} if isinstance(entry, str) else entry for entry in value]
    listed: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        names = [entry[name] for name in _NAMES if isinstance(entry.get(name), str)] if isinstance(entry, dict) else []
        listed |= {names[0]: entry} if names else {}
    return listed


def _date(announced: Any) -> date | None:
    """The day that a server announces: ISO text, or (milli)seconds since 1970; None for anything else."""
    try:
        if isinstance(announced, str):
            return date.fromisoformat(announced.strip()[:10])
        if type(announced) in (int, float) and announced > 0:
            seconds = announced if announced < _MILLISECONDS else announced / 1000
            return datetime.fromtimestamp(seconds, UTC).date()
    except (ValueError, OverflowError, OSError):
        return None
    return None
