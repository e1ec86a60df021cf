"""An OpenAI-compatible server that misbehaves as told: real HTTP on loopback, in a process of its own.

    python tests/judge/fault_server.py [--port 0]

Prints its port. `POST /_control` takes `{faults, rate, seed, plan, latency, models, echo}` and resets all counts: the
requests of `plan` (names from `FAULTS`, or "ok") go first, then each request meets a fault drawn from `faults` with
probability `rate`. `GET /_stats` tells how often each item was answered in full (paid for), how many requests are under
way and the most there were, what bodies and headers came.

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

MODELS = [{"id": "o4-mini", "object": "model", "created": 1, "owned_by": "x"}, {"id": "local", "object": "model"}]
HANG = 60.0


class Drop(Exception):
    """Close the connection without another byte."""


def item_of(body: dict[str, Any]) -> str:
    """What identifies the item that a request asks about."""
    text = body["input"] if "input" in body else body["messages"][-1]["content"]
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
    if case == "wrong schema":
        return json.dumps({"aligned": "yes"}), None, "stop"
    if case == "misaligned without type":
        return json.dumps({"aligns": False, "type": None, "why": "no type"}), None, "stop"
    if case == "simple":
        return json.dumps({"aligns": False, "why": "no type"}), None, "stop"
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
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.control({})

    def control(self, told: dict[str, Any]) -> None:
        self.rate: float = told.get("rate", 0.0)
        self.kinds: list[str] = told.get("faults", list(FAULTS))
        self.weights: list[float] = told.get("weights", [1.0] * len(self.kinds))
        self.plan: list[str] = told.get("plan", [])
        self.latency: float = told.get("latency", 0.0)
        self.models: list[dict[str, Any]] = told.get("models", MODELS)
        self.answers: str = told.get("answers", "good")
        self.echo: bool = told.get("echo", False)
        self.capacity: int = told.get("capacity", 10**6)
        self.random = random.Random(told.get("seed", 0))
        self.answered: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.active = self.most_active = 0
        self.batch_failures: int = told.get("batch_failures", 0)

    def stats(self) -> dict[str, Any]:
        return {
            "answered": self.answered,
            "faults": self.faults,
            "active": self.active,
            "most_active": self.most_active,
            "bodies": self.bodies[:50],
            "times": self.times[:200],
            "batches": len(self.batches),
        }

    def draw(self) -> str:
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
        if path == "/v1/models":
            return await send(writer, 200, {"object": "list", "data": self.models})
        if path.startswith(("/v1/files", "/v1/batches")):
            return await send(writer, *self.batch_api(method, path, body))
        asked = json.loads(body)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        self.times.append(time.monotonic())
        if len(self.bodies) < 50:
            self.bodies.append(asked)
        fault = self.draw()
        if fault == "time-out":
            self.active -= 1  # this one never ends by itself
        try:
            await asyncio.sleep(self.latency)
            if fault != "ok":
                self.faults[fault] += 1
            if fault in FAULTS and not await FAULTS[fault](writer, headers):
                return
            item = item_of(asked)
            made = self.envelope(path, item, asked)
            if self.echo:
                made["echo"] = headers["authorization"]
            if fault == "slow body":
                await send_slowly(writer, made)
            elif fault == "damaged JSON":
                return await send_raw(writer, 200, json.dumps(made).encode()[:-40])
            else:
                await send(writer, 200, made)
            self.answered[item] += 1
        finally:
            if fault != "time-out":
                self.active -= 1

    def envelope(self, path: str, item: str, asked: dict[str, Any]) -> dict[str, Any]:
        make = response if path.endswith("/responses") else chat
        return make(item, kinds_of(asked), asked["model"], self.answers)

    def batch_api(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        parts = path.split("/")[2:]
        if method == "POST" and parts == ["files"]:
            name = f"file-{len(self.files)}"
            self.files[name] = body[body.index(b"\r\n\r\n{") + 4 : body.rindex(b"\r\n--")]
            return 200, {"id": name, "object": "file", "purpose": "batch"}
        if method == "GET" and parts[0] == "files":
            return 200, self.files[parts[1]]
        if method == "POST":
            told = json.loads(body)
            name = f"batch-{len(self.batches)}"
            self.batches[name] = {
                "id": name,
                "object": "batch",
                "endpoint": told["endpoint"],
                "completion_window": "24h",
                "created_at": 1,
                "input_file_id": told["input_file_id"],
                "metadata": told.get("metadata"),
                "status": "in_progress",
                "looks": 0,
            }
            return 200, self.batches[name]
        if parts == ["batches"]:
            return 200, {"object": "list", "data": list(self.batches.values()), "has_more": False}
        batch = self.batches[parts[1]]
        batch["looks"] += 1
        if batch["looks"] == 2:
            self.complete(batch)
        return 200, batch

    def complete(self, batch: dict[str, Any]) -> None:
        done, failed = [], []
        for line in self.files[batch["input_file_id"]].decode().splitlines():
            asked = json.loads(line)
            if self.batch_failures > 0:
                self.batch_failures -= 1
                failed.append({"custom_id": asked["custom_id"], "response": None, "error": {"code": "batch_expired"}})
                continue
            item = item_of(asked["body"])
            self.answered[item] += 1
            made = self.envelope(asked["url"], item, asked["body"])
            answer = {"status_code": 200, "body": made}
            done.append({"custom_id": asked["custom_id"], "response": answer, "error": None})
        batch["status"] = "completed"
        for key, lines in (("output_file_id", done), ("error_file_id", failed)):
            if lines:
                batch[key] = f"{batch['id']}-{key}"
                self.files[batch[key]] = "".join(json.dumps(line) + "\n" for line in lines).encode()


async def send_raw(writer: asyncio.StreamWriter, status: int, body: bytes, *extra: str, cut: int = 0) -> None:
    lines = (f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}", *extra, "", "")
    writer.write("\r\n".join(lines).encode() + body[: len(body) - cut])
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


def error(status: int, code: str | None = None, *extra: str, message: str = "told so") -> Any:
    async def fault(writer: asyncio.StreamWriter, headers: dict[str, str]) -> bool:
        shown = message.replace("{authorization}", headers.get("authorization", ""))
        await send(writer, status, {"error": {"message": shown, "type": "x", "code": code}}, *extra)
        return False

    return fault


async def reset(writer: asyncio.StreamWriter, headers: dict[str, str]) -> bool:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Drop


async def hang(writer: asyncio.StreamWriter, headers: dict[str, str]) -> bool:
    await asyncio.sleep(HANG)
    raise Drop


async def cut_body(writer: asyncio.StreamWriter, headers: dict[str, str]) -> bool:
    await send_raw(writer, 200, b'{"id": "c", "choices": [{"message": {"content": "{}"}}]}', cut=30)
    raise Drop


async def go_on(writer: asyncio.StreamWriter, headers: dict[str, str]) -> bool:
    return True


FAULTS = {
    "429": error(429, "rate_limit_exceeded"),
    "429 retry-after": error(429, "rate_limit_exceeded", "Retry-After: 0.05"),
    "429 retry-after-ms": error(429, "rate_limit_exceeded", "retry-after-ms: 50"),
    "429 one second": error(429, "rate_limit_exceeded", "Retry-After: 1"),
    "429 no quota": error(429, "insufficient_quota", message="You exceeded your current quota"),
    "500": error(500),
    "503": error(503, None, "Retry-After: 0.05"),
    "400": error(400, "bad_request", message="this item is too long"),
    "401": error(401, "invalid_api_key", message="Incorrect API key provided: {authorization}"),
    "404": error(404, "model_not_found", message="The model `x` does not exist"),
    "reset": reset,
    "time-out": hang,
    "cut body": cut_body,
    "damaged JSON": go_on,
    "slow body": go_on,
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
