"""Server-sent events, which some gateways answer with although nobody asked for a stream: put together to one envelope.

Only what a judge's reply needs: the text, refusal and finish of the first choice, or the last `response` object.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_FIELDS = ("data:", "event:", "id:", "retry:", ":")
_DONE = "[DONE]"
_ENDS = ("response.completed", "response.failed", "response.incomplete")


def is_event_stream(text: str) -> bool:
    """Whether `text` starts as an event stream does."""
    return text.lstrip().startswith(_FIELDS)


def read(text: str) -> dict[str, Any] | None:
    """The envelope that the events of `text` add up to; None when the stream breaks off or makes no sense."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": None, "message": {"role": "assistant"}}
    joined: dict[str, Any] = {"choices": [choice]}
    for event in _events(text):
        if event.get("error") or event.get("type") == "error":
            return event
        if event.get("type") in _ENDS and isinstance(event.get("response"), dict):
            return dict(event["response"])
        first = _first(event.get("choices"))
        if isinstance(first.get("message"), dict) or event.get("object") == "response":
            return event
        _add(choice, first)
        joined |= {name: event[name] for name in ("id", "model", "usage") if event.get(name) is not None}
    ended = choice["finish_reason"] or (text.rstrip().endswith(_DONE) and len(choice["message"]) > 1)
    return joined if ended else None


def _events(text: str) -> Iterator[dict[str, Any]]:
    """The events that are JSON objects, in order, up to the end or to one that is torn."""
    data: list[str] = []
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").strip())
        elif not line and data:
            try:
                event = json.loads("\n".join(data))
            except (ValueError, RecursionError):
                return
            data = []
            if isinstance(event, dict):
                yield event


def _first(choices: Any) -> Mapping[str, Any]:
    """The first choice; a mapping without anything when there is none."""
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _add(choice: dict[str, Any], chunk: Mapping[str, Any]) -> None:
    """Add a chunk's text, refusal and finish reason to `choice`."""
    delta = chunk.get("delta")
    for name in ("content", "refusal"):
        piece = delta.get(name) if isinstance(delta, dict) else None
        if isinstance(piece, str):
            choice["message"][name] = choice["message"].get(name, "") + piece
    if chunk.get("finish_reason") is not None:
        choice["finish_reason"] = chunk["finish_reason"]
