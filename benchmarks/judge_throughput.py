"""Calls per second of the judge against a server that takes 200 ms, beside a sequential loop, in one run.

The server runs in a process of its own on loopback and answers every call after that time, so `concurrency / latency`
calls per second are possible. Rates are what the server sees, from the first request to the last answer; the seconds of
the whole command (model list, verdicts on disk, manifest) stand beside. The rival is the loop that the study used: one
call, then the next, through the same SDK; it is timed on a few calls.

Measured on two idle cores, three runs: 94.3, 91.0 and 90.0 % of possible, 59 to 62 times the sequential loop.

    python benchmarks/judge_throughput.py [--calls 2080] [--concurrency 64] [--latency 0.2] [--sequential 25]
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import openai

from vlm_grpo.judge import command
from vlm_grpo.judge.prompt import load
from vlm_grpo.store import jsonl
from vlm_grpo.verdicts.judgements import Judgement
from vlm_grpo.verdicts.openai_api import Settings, request

ANSWER = {"aligns": True, "type": None, "why": "the reasoning leads to the answer"}


def http(value: Any) -> bytes:
    """A whole HTTP answer with `value` as JSON."""
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def serve(latency: float) -> None:
    """Answer every POST after `latency` seconds; prints the port. `GET /v1/seconds` tells how long the last POSTs took.

    Every other GET gets a model list.
    """
    times: list[float] = []
    message = {"role": "assistant", "content": json.dumps(ANSWER)}
    usage = {"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    chat = {"id": "c", "object": "chat.completion", "created": 1, "model": "local", "choices": [choice], "usage": usage}
    chat_reply = http(chat)
    models = {"object": "list", "data": [{"id": "local", "object": "model", "created": 1, "owned_by": "x"}]}
    models_reply = http(models)

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(h[15:]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
                await reader.readexactly(length)
                reply = models_reply
                if head.startswith(b"POST"):
                    times.append(time.perf_counter())
                    await asyncio.sleep(latency)
                    times.append(time.perf_counter())
                    reply = chat_reply
                elif head.startswith(b"GET /v1/seconds"):
                    reply = http(max(times) - min(times))
                    times.clear()
                writer.write(reply)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def write_generations(path: Path, calls: int) -> None:
    """As many rows as calls, with texts as long as the study's."""
    thought = "The picture shows a cat on a bed and a box on the floor beside it. " * 4
    with jsonl.Appender(path) as file:
        file.append(
            {
                "id": str(i),
                "split": "test",
                "model": "m",
                "images": [],
                "problem": f"Is the following statement true: The cat is left of box {i}.",
                "solution": "True",
                "text": f"<think> {thought} </think> <answer> True </answer>",
                "finish_reason": "stop",
            }
            for i in range(calls)
        )


def seen_by_server(url: str) -> float:
    """Seconds from the first request to the last answer since this was last asked."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/seconds") as answer:
        return float(json.load(answer))


def ours(url: str, folder: Path, calls: int, concurrency: int) -> tuple[float, float]:
    """Seconds seen by the server, and of the whole command."""
    write_generations(folder / "generations.jsonl", calls)
    arguments = ["--generations", f"base={folder / 'generations.jsonl'}", "--base-url", url, "--model", "local"]
    started = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        command.main([*arguments, "--out", str(folder / "out"), "--concurrency", str(concurrency)])
    seconds = time.perf_counter() - started
    kept = jsonl.read(folder / "out" / "verdicts.jsonl")
    assert len(kept) == calls
    assert all(verdict["aligns"] for verdict in kept)
    return seen_by_server(url), seconds


def sequential(url: str, calls: int) -> float:
    """Seconds seen by the server of a plain loop: one call, parsed and kept, then the next."""
    prompt = load("taxonomy")
    kinds = tuple(prompt.kinds)
    settings = Settings(model="local", api="chat", key=None, base_url=url, kinds=kinds, max_output_tokens=4096)
    kept: list[Any] = []
    with openai.OpenAI(api_key="none", base_url=url) as one:
        for i in range(calls):
            user = prompt.render(question=f"claim {i}", reasoning="so", answer="True")
            answer = one.chat.completions.create(**request(settings, prompt.system, user))
            kept.append(Judgement.model_validate_json(answer.choices[0].message.content or ""))
    assert len(kept) == calls
    return seen_by_server(url)


def main() -> None:
    """Run both and print the ratio."""
    p = argparse.ArgumentParser(description="Calls per second of the judge, beside a sequential loop.")
    p.add_argument("--calls", type=int, default=2080)
    p.add_argument("--concurrency", type=int, default=64)
    p.add_argument("--latency", type=float, default=0.2, help="seconds the server takes for each call")
    p.add_argument("--sequential", type=int, default=25, help="calls of the sequential loop that are timed")
    p.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = p.parse_args()
    if given.serve:
        asyncio.run(serve(given.latency))
        return
    os.environ["NO_PROXY"] = "127.0.0.1"
    server = [sys.executable, __file__, "--serve", "--latency", str(given.latency)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        loop = given.sequential / sequential(url, given.sequential)
        seconds, whole = ours(url, Path(folder), given.calls, given.concurrency)
        process.kill()
    possible = given.concurrency / given.latency
    rate = given.calls / seconds
    print(f"possible     {possible:8.1f} calls/s ({given.concurrency} at a time, {given.latency:g} s each)")
    share = f"{100 * rate / possible:.1f} % of possible"
    print(f"judge        {rate:8.1f} calls/s = {share} ({given.calls} calls, whole command {whole:.1f} s)")
    print(f"sequential   {loop:8.1f} calls/s ({given.sequential} calls timed)")
    print(f"ratio        {rate / loop:8.1f}")


if __name__ == "__main__":
    main()
