"""An OpenAI-compatible server that misbehaves as told: real HTTP on loopback, in a process of its own.

    python tests/judge/fault_server.py [--port 0]

Prints its port. `POST /_control` takes `{faults, rate, seed, plan, items, said, latency, models, echo, batch}` and
resets all counts (not with `keep_counts`): requests whose text holds a key of `items` always meet its fault; else the
requests of `plan` (names from `FAULTS`, or "ok") go first, then each request meets a fault drawn from `faults` with
probability `rate`; `said` is the answer (as in `answers`, or JSON as it is) to what holds a key of it; `batch` is for
`fault_batches`. `GET /_stats` tells how often an answer to each item was made (`paid`) and sent in a form that can be
read (`answered`), how many requests are under way and the most there were, what bodies came.

Verdicts follow from the item's text alone, so two runs over the same items get the same answers. Their types are those
that the request's schema allows. One item in fifty gets
an answer that can never be parsed: wrong schema, a refusal, or one cut off by the token limit.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from typing import Any

from fault_batches import BatchServer
from fault_bodies import CUT, LOST, READABLE, Drop, cut

MODELS = [{"id": "o4-mini", "object": "model", "created": 1, "owned_by": "x"}, {"id": "local", "object": "model"}]
HANG = 60.0
_SAID = '{"aligns": true, "type": null, "why": "a?b"}'
ODD = {
    "surrogate": _SAID.replace("?", "\ud83d"),
    "surrogate inside": _SAID.replace("?", "\\ud83d"),
    "NUL": _SAID.replace("?", "\\u0000"),
    "line separator": _SAID.replace("?", "\u2028"),
    "escaped key": _SAID.replace("?", "sk-ab\\/cd+ef=="),
}
"""Answers with characters that are trouble."""


def text_of(body: dict[str, Any]) -> str:
    """What a request asks about."""
    text: str = body["input"] if "input" in body else body["messages"][-1]["content"]
    return text


def item_of(body: dict[str, Any]) -> str:
    """What identifies the item that a request asks about."""
    return hashlib.sha256(text_of(body).encode()).hexdigest()[:16]


def kinds_of(body: dict[str, Any]) -> list[str]:
    """The types that the schema of a request allows."""
    answer = body["text"]["format"] if "text" in body else body["response_format"]["json_schema"]
    allowed = answer["schema"]["properties"].get("type", {"anyOf": [{"enum": []}]})["anyOf"][0]
    return allowed["enum"] if "enum" in allowed else [allowed["const"]]


def judgement(item: str, kinds: list[str]) -> dict[str, Any]:
    number = int(item, 16)
    aligns = number % 5 > 0
    judged = {"aligns": aligns, "why": "as the test server decides"}
    return judged | ({"type": None if aligns else kinds[number // 5 % len(kinds)]} if kinds else {})


def content(item: str, kinds: list[str], *, answers: str) -> tuple[str | None, str | None, str]:
    """Text, refusal and finish reason of the answer to `item`; `answers` fixes them or lets the item decide."""
    case = answers if answers != "by item" else {0: "wrong schema", 1: "refusal", 2: "cut off"}.get(int(item, 16) % 150)
    if case is not None and case.startswith("{"):
        return case, None, "stop"
    if case == "wrong schema":
        return json.dumps({"aligned": "yes"}), None, "stop"
    if case == "misaligned without type":
        return json.dumps({"aligns": False, "type": None, "why": "no type"}), None, "stop"
    if case == "simple":
        return json.dumps({"aligns": False, "why": "no type"}), None, "stop"
    if case in ODD:
        return ODD[case], None, "stop"
    if case == "refusal":
        return None, "I cannot help with that.", "stop"
    if case == "cut off":
        return '{"aligns": tr', None, "length"
    return json.dumps(judgement(item, kinds)), None, "stop"


def chat(item: str, kinds: list[str], model: str, answers: str) -> dict[str, Any]:
    text, refusal, finish = content(item, kinds, answers=answers)
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500},
    }


def response(item: str, kinds: list[str], model: str, answers: str) -> dict[str, Any]:
    text, refusal, finish = content(item, kinds, answers=answers)
    part = {"type": "refusal", "refusal": refusal} if refusal else {"type": "output_text", "text": text}
    return {
        "id": "r",
        "object": "response",
        "model": model,
        "status": "incomplete" if finish == "length" else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if finish == "length" else None,
        "output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": [part]}],
        "usage": {"input_tokens": 400, "output_tokens": 100, "total_tokens": 500},
    }


class Server:
    """State and behaviour; every request is handled by `reply`."""

    def __init__(self) -> None:
        self.batches = BatchServer(self.answer_in_batch)
        self.control({})

    def control(self, behaviour: dict[str, Any]) -> None:
        self.rate: float = behaviour.get("rate", 0.0)
        self.kinds: list[str] = behaviour.get("faults", list(FAULTS))
        self.weights: list[float] = behaviour.get("weights", [1.0] * len(self.kinds))
        self.plan: list[str] = behaviour.get("plan", [])
        self.latency: float = behaviour.get("latency", 0.0)
        self.models: list[dict[str, Any]] = behaviour.get("models", MODELS)
        self.models_reply: list[Any] | None = behaviour.get("models_reply")
        self.answers: str = behaviour.get("answers", "good")
        self.said: dict[str, str] = behaviour.get("said", {})
        self.echo: bool = behaviour.get("echo", False)
        self.capacity: int = behaviour.get("capacity", 10**6)
        self.random = random.Random(behaviour.get("seed", 0))
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.items: dict[str, str] = behaviour.get("items", {})
        if not behaviour.get("keep_counts"):
            self.batches.files.clear()
            self.batches.batches.clear()
            self.answered: Counter[str] = Counter()
            self.paid: Counter[str] = Counter()
            self.faults: Counter[str] = Counter()
            self.requests = self.active = self.most_active = 0
        self.batches.control(behaviour.get("batch", {}))

    def stats(self) -> dict[str, Any]:
        return {
            "answered": self.answered,
            "paid": self.paid,
            "requests": self.requests,
            "faults": self.faults,
            "active": self.active,
            "most_active": self.most_active,
            "bodies": self.bodies[:50],
            "times": self.times[:200],
            "batches": len(self.batches.batches),
        }

    def fault_of_item(self, asked: dict[str, Any]) -> str | None:
        text = text_of(asked)
        return next((fault for words, fault in self.items.items() if words in text), None)

    def draw(self, asked: dict[str, Any]) -> str:
        always = self.fault_of_item(asked)
        if always:
            return always
        if self.plan:
            return self.plan.pop(0)
        if self.active > self.capacity:
            return "429"
        return self.random.choices(self.kinds, self.weights)[0] if self.random.random() < self.rate else "ok"

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request_line, *lines = head.split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = request_line.split()
                await self.reply(method, path.partition("?")[0], headers, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError, Drop):
            pass
        finally:
            writer.close()

    async def reply(
        self, method: str, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        if path == "/_control":
            self.control(json.loads(body))
            return await send(writer, 200, {})
        if path == "/_stats":
            return await send(writer, 200, self.stats())
        if path == "/v1/models" and self.models_reply:
            status, text, kind = self.models_reply
            return await send_raw(writer, status, text.encode(), f"Content-Type: {kind}")
        if path == "/v1/models":
            return await send(writer, 200, {"object": "list", "data": self.models})
        if path.startswith(("/v1/files", "/v1/batches")):
            return await send(writer, *await self.batches.reply(method, path, body))
        asked = json.loads(body)
        self.requests += 1
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        self.times.append(time.monotonic())
        if len(self.bodies) < 50:
            self.bodies.append(asked)
        fault = self.draw(asked)
        if fault in ("time-out", "trickle"):
            self.active -= 1  # these never end by themselves
        try:
            await asyncio.sleep(self.latency)
            if fault != "ok":
                self.faults[fault] += 1
            if fault in ERRORS:
                return await send_error(writer, fault, headers)
            if fault in FAULTS:
                await FAULTS[fault](writer)
            item = item_of(asked)
            made = self.envelope(path, item, asked)
            self.paid[item] += 1
            if self.echo:
                made["echo"] = headers["authorization"]
            if fault in CUT:
                await cut(writer, made, trickle=fault == "trickle", seconds=0.2)
            elif fault == "slow body":
                await send_slowly(writer, made)
            else:
                body, extra = {**READABLE, **LOST}.get(fault, lambda made: (json.dumps(made).encode(), ()))(made)
                await send_raw(writer, 200, body, *extra)
            self.answered[item] += fault not in LOST
        finally:
            if fault not in ("time-out", "trickle"):
                self.active -= 1

    def answer_in_batch(self, call: dict[str, Any]) -> dict[str, Any]:
        """The response of a batch's row; `items` may name an error for it."""
        fault = self.fault_of_item(call["body"])
        if fault in ERRORS:
            status, body, _ = ERRORS[fault]
            return {"status_code": status, "body": body}
        item = item_of(call["body"])
        self.paid[item] += 1
        self.answered[item] += 1
        return {"status_code": 200, "body": self.envelope(call["url"], item, call["body"])}

    def envelope(self, path: str, item: str, asked: dict[str, Any]) -> dict[str, Any]:
        make = response if path.endswith("/responses") else chat
        said = next((said for words, said in self.said.items() if words in text_of(asked)), self.answers)
        return make(item, kinds_of(asked), asked["model"], said)


async def send_raw(writer: asyncio.StreamWriter, status: int, body: bytes, *extra: str) -> None:
    typed = () if any(line.startswith("Content-Type") for line in extra) else ("Content-Type: application/json",)
    lines = (f"HTTP/1.1 {status} X", *typed, f"Content-Length: {len(body)}", *extra, "", "")
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()


async def send(writer: asyncio.StreamWriter, status: int, value: Any, *extra: str) -> None:
    await send_raw(writer, status, value if isinstance(value, bytes) else json.dumps(value).encode(), *extra)


async def send_slowly(writer: asyncio.StreamWriter, value: Any) -> None:
    body = json.dumps(value).encode()
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    for start in range(0, len(body), 200):
        writer.write(body[start : start + 200])
        await writer.drain()
        await asyncio.sleep(0.02)


def error(status: int, code: Any = None, *headers: str, message: str = "told so") -> tuple[int, Any, tuple[str, ...]]:
    return status, {"error": {"message": message, "type": "x", "code": code}}, headers


ERRORS: dict[str, tuple[int, Any, tuple[str, ...]]] = {
    "429": error(429, "rate_limit_exceeded"),
    "429 retry-after": error(429, "rate_limit_exceeded", "Retry-After: 0.05"),
    "429 retry-after-ms": error(429, "rate_limit_exceeded", "retry-after-ms: 50"),
    "429 one second": error(429, "rate_limit_exceeded", "Retry-After: 1"),
    "429 no quota": error(429, "insufficient_quota", message="You exceeded your current quota"),
    "500": error(500),
    "503": error(503, None, "Retry-After: 0.05"),
    "400": error(400, "bad_request", message="this item is too long"),
    "401": error(401, "invalid_api_key", message="Incorrect API key provided: {authorization}"),
    "402": error(402, 402, message="Insufficient credits"),
    "403": error(403, 403, message="Your input was flagged"),
    "403 bare": error(403, message="no"),
    "404": error(404, "model_not_found", message="The model `x` does not exist"),
    "200 rate limit": error(200, 429, message="upstream rate limit"),
    "200 overloaded": (200, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, ()),
    "200 flagged": error(200, 403, message="Your input was flagged"),
    "200 no credit": error(200, "insufficient_quota"),
    "200 in words": (200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, ()),
    "200 detail": (200, {"detail": "upstream hiccup"}, ()),
    "failed response": (
        200,
        {"status": "failed", "error": {"code": "server_error", "message": "internal"}, "output": []},
        (),
    ),
    "error in a stream": (200, b'data: {"error": {"code": 503, "message": "no provider"}}\n\n', ()),
    "502 page": (502, b"<html><title>502 Bad Gateway</title></html>", ("Content-Type: text/html",)),
}


async def send_error(writer: asyncio.StreamWriter, fault: str, headers: dict[str, str]) -> None:
    status, body, extra = ERRORS[fault]
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    await send_raw(writer, status, body.replace(b"{authorization}", headers.get("authorization", "").encode()), *extra)


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Drop


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(HANG)
    raise Drop


async def go_on(writer: asyncio.StreamWriter) -> None:
    pass


FAULTS: dict[str, Any] = {
    **dict.fromkeys((*READABLE, *LOST, *CUT, *ERRORS, "slow body"), go_on),
    "reset": reset,
    "time-out": hang,
}


async def main(port: int) -> None:
    server = await asyncio.start_server(Server().connection, "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    await server.serve_forever()


def leave_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(main(parser.parse_args().port))
