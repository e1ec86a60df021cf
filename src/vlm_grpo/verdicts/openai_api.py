"""OpenAI's Responses API, and chat completions of any compatible server (vLLM, llama.cpp, Ollama), through the SDK.

The SDK's own retries are off: the runner retries, because it must also slow down, and count what a lost answer may have
cost. A call has a deadline, its whole body included. Temperature is never sent to a reasoning model, which would refuse
it.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import openai

from vlm_grpo.errors import UserError
from vlm_grpo.verdicts import proxies
from vlm_grpo.verdicts.classify import Replies
from vlm_grpo.verdicts.judgements import Form, schema
from vlm_grpo.verdicts.models import is_reasoning
from vlm_grpo.verdicts.providers import Call, RefusedError, TransientError

OPENAI_URL = "https://api.openai.com/v1"
PATHS = {"responses": "/responses", "chat": "/chat/completions"}
"""Per API: where it is, below the base URL."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds; a server that asks for more is asked again after this."""
_NEVER_SENT = (
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
    "LocalProtocolError",
)
"""Names of the HTTP client's exceptions after which the server knows of no call."""
_DAMAGED = ("DecodingError",)
_POOL_SIZE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to ask: an answer is of `form`, its type one of `kinds` (none: it has no type).

    `effort` and `temperature` None are not sent; `timeout` is the deadline of one call in seconds.
    """

    model: str
    api: str
    key: str | None = field(repr=False)
    base_url: str | None
    kinds: tuple[str, ...]
    max_output_tokens: int
    form: Form = "alignment"
    effort: str | None = None
    temperature: float | None = None
    timeout: float = 120.0

    def __post_init__(self) -> None:
        if self.temperature is not None and is_reasoning(self.model):
            raise UserError(f"{self.model} is a reasoning model and takes no --temperature; leave it out")

    @property
    def replies(self) -> Replies:
        """Reads what the server answers."""
        in_the_open = self.key is not None and self.key in self.model
        return Replies(api=self.api, model=self.model, key=None if in_the_open else self.key)


def request(settings: Settings, system: str, user: str) -> dict[str, Any]:
    """The body of one request."""
    answer = {"name": "judgement", "schema": schema(settings.kinds, settings.form), "strict": True}
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

    Calls are spread over many small clients: the time that a connection pool takes for a call grows with its size.
    """

    def __init__(self, settings: Settings, *, concurrency: int = 64) -> None:
        self.settings = settings
        self.api = settings.api
        count = max(1, -(-concurrency // _POOL_SIZE))
        self._clients = [client(settings) for _ in range(count)]
        self._turn = 0

    async def ask(self, call: Call) -> str:
        """Return the envelope of the server's answer to `call`, as JSON text without the key."""
        self._turn = (self._turn + 1) % len(self._clients)
        body = request(self.settings, call.system, call.user)
        # the body is ready and wanted back raw: `post` spares the SDK's typed endpoints half the work of a call
        reply = self._clients[self._turn].post(PATHS[self.api], body=body, cast_to=openai.HttpxBinaryResponseContent)
        return self.settings.replies.answer(await exchange(self.settings, reply))

    async def close(self) -> None:
        """Close all connections."""
        for one in self._clients:
            await one.close()


class Received(Protocol):
    """What the SDK hands over of a reply."""

    @property
    def content(self) -> bytes:
        """The body."""


async def exchange(settings: Settings, reply: Awaitable[Received], *, seconds: float | None = None) -> bytes:
    """The body of a `reply` that comes in full, with HTTP 2xx, before the deadline (`seconds`, else the settings').

    Raises `TransientError`, `RejectedError` or `RefusedError`.
    """
    try:
        async with asyncio.timeout(seconds or settings.timeout):
            return (await reply).content
    except (TimeoutError, openai.APITimeoutError):
        raise TransientError("time-out", paid=True, doubtful=True) from None
    except openai.APIStatusError as error:
        content, headers = error.response.content, error.response.headers
        raise settings.replies.error(content, status=error.status_code, retry_after=_retry_after(headers)) from None
    except openai.APIConnectionError as error:
        raise _broken_off(error) from None


def _broken_off(error: openai.APIConnectionError) -> Exception:
    cause = type(error.__cause__).__name__
    if cause == "TooManyRedirects":
        return RefusedError("the judge's server redirects for ever; check --base-url")
    if cause in _DAMAGED:
        return TransientError("damaged body", said="its reply cannot be unpacked", paid=True, doubtful=True)
    sent = cause not in _NEVER_SENT
    return TransientError("connection error", paid=sent, doubtful=sent)


def client(settings: Settings) -> openai.AsyncOpenAI:
    """An SDK client without retries of its own. Servers that want no key get a placeholder."""
    base_url = settings.base_url or OPENAI_URL  # said outright: the SDK would take another from the environment
    http = openai.DefaultAsyncHttpxClient(verify=_tls(), trust_env=proxies.stand_before(base_url))
    return openai.AsyncOpenAI(
        api_key=settings.key or "none", base_url=base_url, max_retries=0, timeout=settings.timeout, http_client=http
    )


@cache
def _tls() -> ssl.SSLContext:
    """One for all clients: reading the trusted certificates takes longer than a call."""
    return ssl.create_default_context()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `retry-after-ms` or `Retry-After` (a number; a date counts as none)."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "")
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return min(float(value) / divisor, LONGEST_RETRY_AFTER)
    return None
