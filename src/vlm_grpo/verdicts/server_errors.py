"""Error bodies of OpenAI-compatible servers: the status that an error stands for, and the server's own words.

Read are the shapes of OpenAI, OpenRouter, Google, Anthropic, vLLM, FastAPI and Ollama. A code or type that is known
here counts more than the status it came with: HTTP 429 may mean "too fast" or "no money", HTTP 200 may mean anything.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

UNKNOWN = 0
"""The meaning of an error body under HTTP 200 that says nothing known."""
_LONGEST_MESSAGE = 300
_CREDIT = (
    "insufficient_quota insufficient_credits insufficient_balance insufficient_funds billing_hard_limit_reached "
    "billing_not_active billing_error billing_limit_exceeded exceeded_current_quota_error credit_balance_too_low "
    "payment_required access_terminated quota_exhausted out_of_credits"
)
_KEY = (
    "invalid_api_key incorrect_api_key invalid_authentication authentication_error unauthenticated unauthorized "
    "permission_error permission_denied account_deactivated account_suspended expired_api_key api_key_invalid "
    "unsupported_country_region_territory ip_not_authorized"
)
_MODEL = "model_not_found not_found_error unknown_url deployment_not_found model_not_available"
_FAST = (
    "rate_limit_exceeded rate_limit_error rate_limited rate_limit resource_exhausted too_many_requests throttling "
    "tokens_per_minute_limit_exceeded requests_per_minute_limit_exceeded engine_overloaded"
)
_SERVER = (
    "server_error internal_error internal_server_error internal api_error server_overloaded overloaded "
    "overloaded_error unavailable service_unavailable model_overloaded upstream_error vector_store_timeout "
    "batch_expired batch_cancelled"
)
_GATEWAY = "timeout timeout_error request_timeout deadline_exceeded gateway_timeout"
_INPUT = (
    "context_length_exceeded string_above_max_length content_filter content_policy_violation invalid_prompt "
    "bad_request invalid_argument invalid_request_error moderation_blocked content_moderation unprocessable_entity "
    "prompt_too_long request_too_large invalid_value data_inspection_failed"
)
_MEANINGS = {
    name: status
    for status, names in (
        (402, _CREDIT),
        (401, _KEY),
        (404, _MODEL),
        (429, _FAST),
        (500, _SERVER),
        (504, _GATEWAY),
        (400, _INPUT),
    )
    for name in names.split()
}
_MONEY = re.compile(
    r"insufficient[ _](credit|balance|fund|quota)|credit balance|out of credits?\b|payment required"
    r"|billing (hard )?(limit|details|is not active|not active)|(add|purchase|buy) (more )?credits?",
    re.IGNORECASE,
)
_MORE_MONEY = re.compile(r"billing|recharge|top[ -]?up|no resource package|balance", re.IGNORECASE)
_TOO_FAST = re.compile(
    r"per[ _-]?(minute|second|hour|day)|rate[ _-]?limit|retry|try again|too many|\b[rt]p[mds]\b", re.I
)
_KEY_WORDS = re.compile(
    r"\b(api|access)[ _-]?(key|token)\b|\bunauthori[sz]ed\b|\baccount\b.*\b(suspend|deactivat|disabled)", re.I
)


_ABOUT_INPUT = re.compile(r"flag|moderat|polic|safety|harm|sensitive|inappropriate|content", re.I)


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error as the server told it: the HTTP `status` it came with, its `codes` (lower case) and its `message`."""

    status: int
    codes: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"HTTP {self.status}: {self.message or ', '.join(self.codes) or 'no reason given'}"

    @property
    def meaning(self) -> int:
        """The HTTP status that this error stands for; `UNKNOWN` when nothing tells."""
        known = self._known()
        numbers = [int(code) for code in self.codes if re.fullmatch("[45][0-9][0-9]", code)]
        status = self.status if self.status >= 300 else next(iter(numbers), next(iter(known), UNKNOWN))
        if 402 in (*known, *numbers) or (status < 500 and self._speaks_of_money(status)):
            return 402
        if status in (UNKNOWN, 400, 403) and (401 in known or _KEY_WORDS.search(self.message)):
            return 401
        return 404 if status in (400, 403) and 404 in known else status

    @property
    def about_input(self) -> bool:
        """Whether it is this one input that the server does not want."""
        return 400 in self._known() or bool(_ABOUT_INPUT.search(self.message))

    def _known(self) -> list[int]:
        return [_MEANINGS[code] for code in self.codes if code in _MEANINGS]

    def _speaks_of_money(self, status: int) -> bool:
        """Some servers say "too fast" with the words of "no money"; then they also say when to come again."""
        if status == 429:
            return bool(_MORE_MONEY.search(self.message) and not _TOO_FAST.search(self.message))
        return bool(_MONEY.search(self.message))


def read(body: Any, status: int) -> ServerError:
    """Read an error `body` (an envelope, or its text) that came with HTTP `status`."""
    parts = list(_parts(body)) if isinstance(body, dict) else []
    names = ("code", "type", "status", "reason")
    codes = [str(part[name]).lower() for part in parts for name in names if isinstance(part.get(name), str | int)]
    words = next(
        (words for part in parts for words in _words(part)), body if isinstance(body, str) else json.dumps(body)
    )
    return ServerError(status, tuple(dict.fromkeys(codes)), " ".join(words.split())[:_LONGEST_MESSAGE])


def _parts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects that may tell of an error, the innermost first."""
    choices: Any = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    for holder in [place for place in (first, body) if isinstance(place, dict)]:
        for name in ("error", "errors", "detail"):
            value = holder.get(name)
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, dict):
                yield value
            elif isinstance(value, str):
                yield {"message": value}
    yield body


def _words(part: Mapping[str, Any]) -> Iterator[str]:
    for name in ("message", "msg", "detail", "error_description", "title"):
        if isinstance(part.get(name), str) and part[name].strip():
            yield part[name]
