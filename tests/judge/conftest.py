"""The misbehaving server, and generations to judge."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vlm_grpo.judge import command

PACE = ["--retry-wait", "0.01", "--timeout", "2", "--concurrency", "8"]
RELATIONS = ("left of", "right of", "on", "under", "facing")


class Faults:
    """A handle on the server: `url` for the judge, `control` and `stats` for the test."""

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"

    def control(self, **behaviour: Any) -> None:
        self._ask("/_control", json.dumps(behaviour).encode())

    def stats(self) -> dict[str, Any]:
        return self._ask("/_stats", None)

    def _ask(self, path: str, body: bytes | None) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(self.root + path, data=body), timeout=30) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def server_process() -> Iterator[Faults]:
    script = Path(__file__).with_name("fault_server.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield Faults(int(process.stdout.readline()))
        process.kill()


@pytest.fixture
def server(server_process: Faults, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """The server, good again, and an environment without keys and proxies."""
    for name in ("OPENAI_API_KEY", "JUDGE_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server_process.control()
    return server_process


@pytest.fixture
def judge(server, write_generations, tmp_path, capsys):
    """Run the command on six rows of one arm; returns exit code, stdout and stderr."""
    write_generations(tmp_path, "base", 6)

    def run(*arguments: object, model: str = "o4-mini", base_url: bool = True) -> tuple[int, str, str]:
        given = ["--generations", f"base={tmp_path / 'base.jsonl'}", "--out", str(tmp_path / "out"), *PACE]
        given += ["--base-url", server.url, "--model", model] if base_url else []
        capsys.readouterr()
        code = 0
        try:
            command.main([*given, *map(str, arguments)])
        except SystemExit as left:
            code = int(left.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def write_generations() -> Callable[..., Path]:
    return _write_generations


def _write_generations(folder: Path, arm: str, rows: int, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{arm}.jsonl"
    lines = [
        {
            "id": f"row-{i}",
            "images": [f"{i}.jpg"],
            "problem": f"Is the following statement true: The cat is {RELATIONS[i % 5]} the box {i}.",
            "solution": str(i % 2 == 0),
            "split": "test",
            "model": f"checkpoint-{arm}",
            "text": f"<think> {arm} sees cat {i} near box {i}. </think> <answer> {i % 3 > 0} </answer>",
            "finish_reason": "stop",
            **{name: change(i) if callable(change) else change for name, change in changes.items()},
        }
        for i in range(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
