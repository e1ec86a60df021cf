"""OpenAI's Responses API, and chat completions of any compatible server (vLLM, llama.cpp, Ollama), through the SDK.

The SDK's own retries are off: the runner retries, because it must also slow down. Temperature is never sent to a
reasoning model, which would refuse it. The raw body is returned unread; what a server may have echoed of the key is cut
out of it and of every error message.
"""

import json
import re
import ssl
from dataclasses import dataclass, field
from typing import Any

import openai

from vlm_grpo.errors import UserError
from vlm_grpo.judge.judgements import schema
from vlm_grpo.judge.keys import redact
from vlm_grpo.judge.models import is_reasoning
from vlm_grpo.judge.providers import Call, RefusedError, RejectedError, TransientError

OPENAI_URL = "https://api.openai.com/v1"
PATHS = {"responses": "/responses", "chat": "/chat/completions"}
"""Per API: where it is, below the base URL."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds; a server that asks for more is asked again after this."""
_POOL_SIZE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to ask: an answer's type is one of `kinds` (none: it has no type).

    `effort` and `temperature` None are not sent; times in seconds.
    """

    model: str
    api: str
    key: str | None = field(repr=False)
    base_url: str | None
    kinds: tuple[str, ...]
    max_output_tokens: int
    effort: str | None = None
    temperature: float | None = None
    timeout: float = 120.0

    def __post_init__(self) -> None:
        if self.temperature is not None and is_reasoning(self.model):
            raise UserError(f"{self.model} is a reasoning model and takes no --temperature; leave it out")


def request(settings: Settings, system: str, user: str) -> dict[str, Any]:
    """The body of one request."""
    answer = {"name": "judgement", "schema": schema(settings.kinds), "strict": True}
    body: dict[str, Any] = {"model": settings.model}
    if settings.api == "responses":
        body |= {"instructions": system, "input": user, "store": False}
        body |= {"text": {"format": {"type": "json_schema", **answer}}, "max_output_tokens": settings.max_output_tokens}
        if settings.effort:
            body["reasoning"] = {"effort": settings.effort}
    else:
        body["messages"] = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
        limit = "max_completion_tokens" if is_reasoning(settings.model) else "max_tokens"
        body[limit] = settings.max_output_tokens
        if settings.effort:
            body["reasoning_effort"] = settings.effort
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    return body


class OpenAIProvider:
    """Asks a server over HTTP.

    Calls are spread over many small clients: the time that a connection pool takes for a call grows with its size. They
    share one TLS context, since reading the trusted certificates takes longer than a call.
    """

    def __init__(self, settings: Settings, *, concurrency: int = 64) -> None:
        self.settings = settings
        self.api = settings.api
        count = max(1, -(-concurrency // _POOL_SIZE))
        tls = ssl.create_default_context()
        self._clients = [client(settings, tls) for _ in range(count)]
        self._turn = 0

    async def ask(self, call: Call) -> str:
        """Return the raw body of the server's answer to `call`."""
        self._turn = (self._turn + 1) % len(self._clients)
        body = request(self.settings, call.system, call.user)
        try:
            # the body is ready and wanted back raw: `post` spares the SDK's typed endpoints half the work of a call
            response = await self._clients[self._turn].post(
                PATHS[self.api], body=body, cast_to=openai.HttpxBinaryResponseContent
            )
        except openai.OpenAIError as error:
            raise sorted_error(error, self.settings) from None
        raw = redact(response.text, self.settings.key)
        if not _is_json(raw):
            raise TransientError("damaged body")
        return raw

    async def close(self) -> None:
        """Close all connections."""
        for one in self._clients:
            await one.close()


def client(settings: Settings, tls: ssl.SSLContext | None = None) -> openai.AsyncOpenAI:
    """An SDK client without retries of its own. Servers that want no key get a placeholder."""
    return openai.AsyncOpenAI(
        api_key=settings.key or "none",
        base_url=settings.base_url or OPENAI_URL,  # said outright: the SDK would take another from the environment
        max_retries=0,
        timeout=settings.timeout,
        http_client=openai.DefaultAsyncHttpxClient(verify=tls or ssl.create_default_context()),
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def sorted_error(error: openai.OpenAIError, settings: Settings) -> Exception:
    """Say what an SDK error means for the run: try again, give this call up, or stop."""
    if isinstance(error, openai.APITimeoutError):
        return TransientError("time-out")
    if isinstance(error, openai.APIConnectionError):
        return TransientError("connection error")
    if not isinstance(error, openai.APIStatusError):
        return error
    status = error.status_code
    told = redact(f"HTTP {status}: {error.message}", settings.key)
    if status == 429 and error.code != "insufficient_quota":
        return TransientError("rate limit", throttled=True, retry_after=_retry_after(error))
    if status in (408, 409) or status >= 500:
        return TransientError(f"HTTP {status}", retry_after=_retry_after(error))
    if status in (401, 403, 404, 429):
        return RefusedError(f"the judge's server refuses {settings.model} ({told}); {_remedy(status)}")
    return RejectedError(told)


def _remedy(status: int) -> str:
    return {
        404: "check --model and --base-url",
        429: "the account has no quota left; add credit, then run the same command again to go on",
    }.get(status, "check the key in the environment or .env")


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Seconds from `retry-after-ms` or `Retry-After` (a number; a date counts as none)."""
    headers = error.response.headers
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "")
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return min(float(value) / divisor, LONGEST_RETRY_AFTER)
    return None
