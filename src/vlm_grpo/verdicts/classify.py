"""What a reply means for the run, whatever its status code: an answer, another try, no answer for this input, or stop.

Servers say "rate limit", "out of credit" or "internal error" by a status, by HTTP 200 with an error body, by a failed
response or inside an event stream; live replies and the rows of a batch are read alike. Nothing is sent here, nothing
is stored; the key is cut out of whatever leaves.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vlm_grpo.verdicts import server_errors
from vlm_grpo.verdicts.envelopes import decode, read_envelope
from vlm_grpo.verdicts.keys import redact, redact_reply
from vlm_grpo.verdicts.providers import RefusedError, RejectedError, TransientError

MAYBE_PAID = (408, 499, 502, 504, 520, 522, 524, 598)
"""A gateway gave up on an answer that may have been made, and charged, behind it."""
NO_PLACE = (404, 405, 501)
"""The server has nothing at this address."""
_KEY, _MODEL, _CREDIT = (401, 407), (*NO_PLACE, 410), (402,)
REMEDIES = {
    **dict.fromkeys(_KEY, "check the key in the environment or .env"),
    **dict.fromkeys(_MODEL, "check --model and --base-url"),
    **dict.fromkeys(_CREDIT, "add credit, then run the same command again to go on"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """Reads the replies of one server in the envelope of `api`; `model` is what was asked for."""

    api: str
    model: str
    key: str | None = field(repr=False)

    def answer(self, body: bytes, *, status: int = 200) -> str:
        """The envelope of the answer, as JSON text; raises what `error` returns when `body` holds none."""
        text = decode(body)
        envelope = read_envelope(text)
        if envelope is None or status >= 300 or not is_answer(envelope, self.api):
            raise self.error(body, status=status)
        return redact_reply(text if text.lstrip().startswith("{") else json.dumps(envelope), self.key)

    def object(self, body: bytes) -> dict[str, Any]:
        """The file, batch or list that `body` holds; raises what `error` returns when it holds none."""
        envelope = read_envelope(decode(body))
        if envelope is None or not (isinstance(envelope.get("id"), str) or isinstance(envelope.get("data"), list)):
            raise self.error(body, status=200)
        return envelope

    def error(self, body: bytes, *, status: int, retry_after: float | None = None) -> Exception:
        """What a `body` without an answer means: `TransientError`, `RejectedError` or `RefusedError`."""
        text = decode(body)
        envelope = read_envelope(text)
        if envelope is None and status < 300:
            said = redact(f"its reply is not JSON: {_start(text) or 'nothing'}", self.key)
            return TransientError("damaged body", said=said, paid=True, doubtful=True)
        error = server_errors.read(_start(text) if envelope is None else envelope, status)
        return self._sorted(error, retry_after, made=envelope is not None and _was_made(envelope))

    def _sorted(self, error: server_errors.ServerError, retry_after: float | None, *, made: bool) -> Exception:
        status = error.meaning
        shown = redact(str(error), self.key)
        said = redact(error.message, self.key)
        if status == server_errors.UNKNOWN:
            return TransientError("an error without a code", said=said, paid=made, doubtful=True)
        if status == 429:
            return TransientError("rate limit", throttled=True, retry_after=retry_after, said=said, paid=made)
        if status in (408, 409, 425) or (status >= 500 and status not in NO_PLACE):
            paid = made or status in MAYBE_PAID
            return TransientError(f"HTTP {status}", retry_after=retry_after, said=said, paid=paid)
        if status < 400 or status in REMEDIES:
            remedy = REMEDIES.get(status, REMEDIES[404])
            return RefusedError(f"the judge's server refuses {self.model} ({shown}); {remedy}", status=status)
        return RejectedError(shown, alone=status != 403 or error.about_input, paid=made)


def is_answer(envelope: Mapping[str, Any], api: str) -> bool:
    """Whether `envelope` carries a message of the judge, be it empty, cut off or a refusal."""
    if api == "responses":
        output = envelope.get("output")
        blocks = [block for block in output if isinstance(block, dict)] if isinstance(output, list) else []
        messages = [block for block in blocks if isinstance(block.get("content"), list)]
        whole = envelope.get("status") in (None, "completed") and messages and not envelope.get("error")
        return bool(whole) or envelope.get("status") == "incomplete"
    choices = envelope.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict) or first.get("finish_reason") == "error":
        return False
    return bool(message.get("content") or message.get("refusal")) or not (first.get("error") or envelope.get("error"))


def _was_made(envelope: Mapping[str, Any]) -> bool:
    """Whether something was made, and may be charged, before the error."""
    return any(envelope.get(name) for name in ("choices", "output", "usage"))


def _start(text: str) -> str:
    return " ".join(text[:400].split())[:120]
