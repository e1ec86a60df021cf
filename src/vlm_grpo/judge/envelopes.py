"""Reading raw replies: the judge's text, the tokens used and the model's name, or why there is no judgement.

Pure functions of the stored text, so that parsing can be redone without asking (and paying) again. One function for
each envelope: OpenAI's Responses API, chat completions, and the embedded rules judge.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vlm_grpo.judge.judgements import missing, parse
from vlm_grpo.judge.pricing import Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, read: `judgement` has `aligns`, `type`, `why`, all None when it is missing for the reason given."""

    judgement: dict[str, Any]
    missing: str | None
    usage: Usage | None
    version: str | None


def read(raw: str, api: str, kinds: tuple[str, ...]) -> Reply:
    """Read a raw reply in the envelope of `api` to a prompt of these `kinds`.

    Whatever is wrong with it makes the judgement missing.
    """
    try:
        envelope = json.loads(raw)
    except ValueError as error:
        return Reply(*missing(f"reply is not JSON ({error})"), None, None)
    if not isinstance(envelope, dict):
        return Reply(*missing("reply is not a JSON object"), None, None)
    text, reason = _READERS[api](envelope)
    judgement = missing(reason or "empty reply") if text is None else parse(text, kinds)
    version = envelope.get("model")
    return Reply(*judgement, _usage(envelope.get("usage")), version if isinstance(version, str) else None)


def _responses(envelope: Mapping[str, Any]) -> tuple[str | None, str | None]:
    if envelope.get("status") == "incomplete":
        return None, f"incomplete: {_at(envelope, 'incomplete_details', 'reason')}"
    if envelope.get("error"):
        return None, f"error: {_at(envelope, 'error', 'message')}"
    output = envelope.get("output")
    parts = [
        part
        for block in (output if isinstance(output, list) else [])
        if isinstance(block, dict) and block.get("type") == "message"
        for part in block.get("content") or []
        if isinstance(part, dict)
    ]
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


def _usage(found: Any) -> Usage | None:
    if not isinstance(found, dict):
        return None
    counts = [
        next((found[name] for name in names if isinstance(found.get(name), int)), None)
        for names in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"))
    ]
    return None if counts[0] is None or counts[1] is None else Usage(counts[0], counts[1])


def _at(value: Any, *path: str | int) -> Any:
    """The value at `path` inside nested objects and lists; None where the path breaks off."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
