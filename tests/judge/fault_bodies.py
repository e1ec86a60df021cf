"""Answers that were made, and paid for, and then sent in some other way than as plain JSON. Used by `fault_server`.

`READABLE` ones carry the answer all the same; of the others (`LOST`) no client can make anything.
"""

import asyncio
import gzip
import json
from typing import Any

Body = tuple[bytes, tuple[str, ...]]


class Drop(Exception):
    """Close the connection without another byte."""


def _json(made: dict[str, Any]) -> bytes:
    return json.dumps(made).encode()


def _content(made: dict[str, Any]) -> dict[str, Any]:
    choice: dict[str, Any] = made["choices"][0]
    return choice


def chunks(made: dict[str, Any]) -> bytes:
    """The answer as a stream of chunks, with a comment, usage at the end and `[DONE]`."""
    choice = _content(made)
    text = choice["message"]["content"] or ""
    events: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"role": "assistant"}}]}]
    events += [{"choices": [{"index": 0, "delta": {"content": text[i : i + 9]}}]} for i in range(0, len(text), 9)]
    if choice["message"].get("refusal"):
        events.append({"choices": [{"index": 0, "delta": {"refusal": choice["message"]["refusal"]}}]})
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    events.append({"choices": [], "usage": made["usage"]})
    lines = [b"data: " + json.dumps({"model": made["model"], **event}).encode() + b"\n\n" for event in events]
    return b": keep-alive\n\n" + b"".join(lines) + b"data: [DONE]\n\n"


def _spoilt_usage(made: dict[str, Any], usage: Any) -> bytes:
    return _json({**made, "usage": usage})


def _error_after_text(made: dict[str, Any]) -> bytes:
    choice = {
        "finish_reason": "error",
        "error": {"code": 502, "message": "upstream broke off"},
        "message": {"content": "{"},
    }
    return _json({**made, "choices": [choice]})


READABLE = {
    "byte order mark": lambda made: (b"\xef\xbb\xbf" + _json(made), ()),
    "UTF-16": lambda made: (json.dumps(made).encode("utf-16"), ()),
    "one event": lambda made: (b"data: " + _json(made) + b"\n\ndata: [DONE]\n\n", ("Content-Type: text/event-stream",)),
    "event stream": lambda made: (chunks(made), ("Content-Type: text/event-stream",)),
    "gzip": lambda made: (gzip.compress(_json(made)), ("Content-Encoding: gzip",)),
    "in a list": lambda made: (b"[" + _json(made) + b"]", ()),
    "no usage": lambda made: (_spoilt_usage(made, None), ()),
    "usage of nothing": lambda made: (_spoilt_usage(made, {"prompt_tokens": 0, "completion_tokens": 0}), ()),
    "negative usage": lambda made: (_spoilt_usage(made, {"prompt_tokens": -400, "completion_tokens": -100}), ()),
    "boundless usage": lambda made: (_spoilt_usage(made, {"prompt_tokens": 10**15, "completion_tokens": 1}), ()),
}
LOST = {
    "damaged JSON": lambda made: (_json(made)[:-40], ()),
    "damaged gzip": lambda made: (gzip.compress(_json(made))[:-20] + b"x" * 20, ("Content-Encoding: gzip",)),
    "broken stream": lambda made: (chunks(made)[: len(chunks(made)) // 2], ("Content-Type: text/event-stream",)),
    "web page": lambda made: (b"<html><title>Sign in</title></html>", ("Content-Type: text/html",)),
    "nothing": lambda made: (b"", ()),
    "NULs": lambda made: (b"\0" * 300, ()),
    "deep": lambda made: (b"[" * 100_000, ()),
    "error after text": lambda made: (_error_after_text(made), ()),
}
CUT = ("cut body", "trickle")


async def cut(writer: asyncio.StreamWriter, made: dict[str, Any], *, trickle: bool, seconds: float) -> None:
    """Promise more than comes: the connection breaks, or a byte drips from time to time."""
    body = _json(made)
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    writer.write(body[:30])
    await writer.drain()
    for at in range(30, len(body) if trickle else 0):
        await asyncio.sleep(seconds)
        writer.write(body[at : at + 1])
        await writer.drain()
    raise Drop
