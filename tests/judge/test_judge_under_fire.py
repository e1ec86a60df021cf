"""Hundreds of calls, three in ten of them failing, and kills: nothing lost, nothing paid for twice, the same tables.

`test_fault_campaign` goes through more kinds of faults, the budget and batches.
"""

import json
import multiprocessing
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from fault_bodies import LOST, READABLE

from vlm_grpo.judge import command
from vlm_grpo.paper import tables_command as alignment
from vlm_grpo.store import jsonl

CONCURRENCY = 48
FAULTS = {
    "429": 1,
    "429 retry-after": 1,
    "429 retry-after-ms": 1,
    "429 one second": 0.1,
    "500": 5,
    "503": 5,
    "reset": 5,
    "cut body": 5,
    "slow body": 5,
    **dict.fromkeys(("200 rate limit", "200 overloaded", "error in a stream", "502 page", *READABLE, *LOST), 1),
    "time-out": 0.1,
}
PRICE = 400 * 1.1e-6 + 100 * 4.4e-6
PRELOADED = ["vlm_grpo.judge.command", "vlm_grpo.verdicts.openai_api", "vlm_grpo.verdicts.preflight"]


def arguments(server, generations: Path, out: Path) -> list[str]:
    arms = [f"--generations={arm}={generations / arm}.jsonl" for arm in ("base", "grpo")]
    limits = ["--concurrency", str(CONCURRENCY), "--timeout", "5", "--retry-wait", "0.02", "--attempts", "12"]
    return [*arms, "--base-url", server.url, "--model", "o4-mini", "--out", str(out), *limits]


def table(out: Path, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    capsys.readouterr()
    alignment.main(["--verdicts", str(out / "verdicts.jsonl"), "--format", "json"])
    return json.loads(capsys.readouterr().out)


def stored(out: Path) -> list[tuple]:
    return [(r["row_id"], r["model"], r["repeat"]) for r in jsonl.read(out / "responses.jsonl")]


def paid(server) -> Counter:
    """How often the server answered each item, once nothing is under way any more."""
    while server.stats()["active"]:
        time.sleep(0.05)
    return Counter(server.stats()["answered"])


@pytest.mark.slow
@pytest.mark.parametrize("rows, kills", [(240, 3), pytest.param(1040, 10, marks=pytest.mark.nightly)])
def test_kills_and_faults_change_nothing(server, write_generations, tmp_path, capsys, rows, kills):
    for arm in ("base", "grpo"):
        write_generations(tmp_path, arm, rows)
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    server.control(answers="by item")
    command.main(arguments(server, tmp_path, calm))
    assert set(paid(server).values()) == {1}

    server.control(answers="by item", rate=0.3, faults=list(FAULTS), weights=list(FAULTS.values()), seed=7)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(PRELOADED)
    moments = sorted(random.Random(11).sample(range(20, 2 * rows - 60), kills))
    in_flight_at_a_kill = 0
    for moment in moments:
        run = processes.Process(target=command.main, args=(arguments(server, tmp_path, rough),))
        run.start()
        while run.is_alive() and lines(rough / "responses.jsonl") < moment:
            time.sleep(0.01)
        assert run.is_alive(), "the run ended before it could be killed"
        run.kill()
        run.join()
        in_flight_at_a_kill = sum(paid(server).values()) - len(stored(rough))
    command.main(arguments(server, tmp_path, rough))

    keys = [(r["row_id"], r["model"], r["repeat"]) for r in jsonl.read(rough / "verdicts.jsonl")]
    assert len(keys) == len(set(keys)) == 2 * rows
    assert len(stored(rough)) == len(set(stored(rough))) == 2 * rows
    answers = paid(server)
    assert len(answers) == 2 * rows
    assert sum(answers.values()) - 2 * rows == in_flight_at_a_kill <= kills * CONCURRENCY
    assert sum(server.stats()["faults"].values()) > 0.3 * 2 * rows
    paid_for = sum(server.stats()["paid"].values())
    manifest = json.loads((rough / "manifest.json").read_text())
    assert 0 < paid_for - 2 * rows <= manifest["calls"]["lost"]
    assert paid_for * PRICE <= manifest["cost"]
    assert table(rough, capsys) == table(calm, capsys)
    assert any(row["coverage"] < 1 for row in table(rough, capsys))


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
