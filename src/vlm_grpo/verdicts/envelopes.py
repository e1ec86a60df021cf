"""Reading raw replies: the judge's text, the tokens used and the model's name, or why there is no judgement.

Pure functions of the stored text, so that parsing can be redone without asking (and paying) again. One function for
each envelope: OpenAI's Responses API, chat completions, and the embedded rules judge.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vlm_grpo.store.encoding import well_formed
from vlm_grpo.verdicts import event_stream
from vlm_grpo.verdicts.judgements import Form, missing, parse
from vlm_grpo.verdicts.pricing import MOST_TOKENS, Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, read: `judgement` is as `judgements.parse` has it, all None when it is `missing`."""

    judgement: dict[str, Any]
    missing: str | None
    usage: Usage | None
    version: str | None


def read(raw: str, api: str, kinds: tuple[str, ...], form: Form = "alignment") -> Reply:
    """Read a raw reply in the envelope of `api` to a prompt of these `kinds` that asks for an answer of `form`.

    Whatever is wrong with it makes the judgement missing.
    """
    envelope = read_envelope(raw)
    if envelope is None:
        return Reply(*missing("reply is not a JSON object"), None, None)
    text, reason = _READERS[api](envelope)
    judgement = parse(well_formed(text), kinds, form) if text else missing(well_formed(reason or "empty reply"))
    version = envelope.get("model")
    usage = _usage(envelope.get("usage"), answered=text is not None)
    return Reply(*judgement, usage, version if isinstance(version, str) else None)


def decode(body: bytes) -> str:
    """`body` as text: UTF-8, or UTF-16 and UTF-32 where JSON shows them; no byte order mark, odd bytes as U+FFFD."""
    return body.decode(json.detect_encoding(body), errors="replace").removeprefix("\ufeff")


def read_envelope(text: str) -> dict[str, Any] | None:
    """The JSON object that `text` holds, as one, as an event stream or alone in a list; None when it holds none."""
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        value = event_stream.read(text) if event_stream.is_event_stream(text) else None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None


def _responses(envelope: Mapping[str, Any]) -> tuple[str | None, str | None]:
    if envelope.get("status") == "incomplete":
        return None, f"incomplete: {_at(envelope, 'incomplete_details', 'reason')}"
    if envelope.get("error"):
        return None, f"error: {_at(envelope, 'error', 'message')}"
    output = envelope.get("output")
    blocks = [block for block in _list(output) if isinstance(block, dict) and block.get("type") == "message"]
    parts = [part for block in blocks for part in _list(block.get("content")) if isinstance(part, dict)]
    for part in parts:
        if part.get("type") == "refusal":
            return None, f"refusal: {part.get('refusal')}"
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return ("".join(texts), None) if texts else (None, None)


def _chat(envelope: Mapping[str, Any]) -> tuple[str | None, str | None]:
    choice = _at(envelope, "choices", 0)
    message = _at(choice, "message")
    if not isinstance(message, dict):
        return None, "no choice in the reply"
    if message.get("refusal"):
        return None, f"refusal: {message['refusal']}"
    if choice.get("finish_reason") in ("length", "content_filter"):
        return None, f"incomplete: {choice['finish_reason']}"
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(text for part in content if isinstance(text := _at(part, "text"), str))
    return (content, None) if isinstance(content, str) and content else (None, None)


def _rules(envelope: Mapping[str, Any]) -> tuple[str | None, str | None]:
    if "cannot_judge" in envelope:
        return None, f"cannot judge: {envelope['cannot_judge']}"
    return json.dumps(envelope), None


_READERS: dict[str, Callable[[Mapping[str, Any]], tuple[str | None, str | None]]] = {
    "responses": _responses,
    "chat": _chat,
    "rules": _rules,
}


def _usage(reported: Any, *, answered: bool) -> Usage | None:
    """The tokens that a reply says it used; None when that cannot be true of a prompt and, where `answered`, of a text.

    Some servers leave reasoning out of the output, and count it in the total only.
    """
    names = (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"), ("total_tokens",))
    counts = [next((n for name in either if type(n := _at(reported, name)) is int), 0) for either in names]
    usage = Usage(counts[0], max(counts[1], counts[2] - counts[0]))
    likely = min(counts) >= 0 and usage.input > 0 and (usage.output > 0 or not answered)
    return usage if likely and usage.input + usage.output <= MOST_TOKENS else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _at(value: Any, *path: str | int) -> Any:
    """The value at `path` inside nested objects and lists; None where the path breaks off."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
