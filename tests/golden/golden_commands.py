"""Public commands run inside this process, as `python -m MODULE` and `python SCRIPT` run them.

A golden number comes from a command, never from an import: import paths move, commands keep their names. What a command
writes to stderr passes through; one that fails ends the process with its exit code.
"""

import io
import json
import runpy
import sys
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run_module(name: str, *words: str) -> str:
    """What `python -m NAME WORDS` prints."""
    with _command_line(name, words), redirect_stdout(io.StringIO()) as printed:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    return printed.getvalue()


def run_script(path: str, *words: str) -> str:
    """What `python PATH WORDS` prints; `path` is relative to the top of the checkout."""
    with _command_line(path, words), redirect_stdout(io.StringIO()) as printed:
        runpy.run_path(str(ROOT / path), run_name="__main__")
    return printed.getvalue()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def _command_line(name: str, words: tuple[str, ...]):
    argv, path = sys.argv, list(sys.path)
    sys.argv = [name, *words]
    yield
    sys.argv, sys.path[:] = argv, path
