"""`judge.py --batch` against a Batch API that loses answers, lists late and leaves odd files: nothing is paid twice."""

import json
from collections import Counter

import pytest
from fault_batches import BLEMISHES

from vlm_grpo.judge.batch_notes import BatchNotes
from vlm_grpo.store import jsonl

BATCH = ("--batch", "--batch-poll", "0.01")
PRICE = (400 * 1.1e-6 + 100 * 4.4e-6) / 2


def verdicts(tmp_path):
    return jsonl.read(tmp_path / "out" / "verdicts.jsonl")


def reasons(tmp_path):
    return Counter(str(line["missing"]) for line in verdicts(tmp_path) if line["missing"])


def manifest(tmp_path):
    path = tmp_path / "out" / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else None


@pytest.mark.parametrize("blemish", BLEMISHES)
def test_whole_lines_are_kept_each_once(judge, server, tmp_path, blemish):
    server.control(batch={"blemish": blemish})
    code, _, err = judge(*BATCH)
    assert code == 0, err
    assert len({line["row_id"] for line in verdicts(tmp_path)}) == len(verdicts(tmp_path)) == 6
    lost = {"torn line": 1, "torn first line": 1}.get(blemish, 0)
    assert reasons(tmp_path) == ({"no line in the output of 2 batches": 1} if lost else {})
    stats = server.stats()
    assert stats["batches"] <= 3
    assert sum(stats["paid"].values()) * PRICE <= manifest(tmp_path)["cost"] + 1e-9
    batches = stats["batches"]
    assert judge(*BATCH)[0] == 0
    assert server.stats()["batches"] == batches


def test_rows_that_are_refused_are_missing_and_the_run_ends(judge, server, tmp_path):
    faults = ["400", "403", "200 flagged", "200 in words"]
    server.control(items={f"sees cat {i} ": fault for i, fault in enumerate(faults)})
    code, _, err = judge(*BATCH)
    assert code == 0, err
    assert (len(verdicts(tmp_path)), reasons(tmp_path).total()) == (6, 4)
    assert server.stats()["batches"] == 2, "an error without a code is tried once more"
    assert manifest(tmp_path)["calls"]["lost"] == 0
    assert judge(*BATCH)[0] == 0
    assert server.stats()["batches"] == 2


@pytest.mark.parametrize(
    "fault, message", [("400", "answers nothing"), ("402", "add credit"), ("401", "check the key"), ("500", "told so")]
)
def test_a_batch_of_nothing_but_errors_stops_the_run(judge, server, tmp_path, fault, message):
    server.control(items={"sees cat": fault})
    code, _, err = judge(*BATCH)
    assert code == 2
    assert message in err
    assert server.stats()["batches"] == 1
    assert (verdicts(tmp_path), manifest(tmp_path)) == ([], None)
    server.control()
    assert judge(*BATCH)[0] == 0
    assert not reasons(tmp_path)


@pytest.mark.parametrize("hidden", [0, 2])
def test_a_creation_whose_answer_was_lost_is_found_again(judge, server, tmp_path, hidden):
    server.control(batch={"lost_creations": 1, "hidden": hidden})
    code, _, err = judge(*BATCH)
    assert code == 0, err
    assert server.stats()["batches"] == 1
    assert len(verdicts(tmp_path)) == 6


def test_a_creation_that_is_not_listed_is_not_repeated_in_that_run(judge, server, tmp_path):
    server.control(batch={"lost_creations": 1, "hidden": 3})
    code, _, err = judge(*BATCH)
    assert code == 2
    assert "run the same command again" in err
    assert judge(*BATCH)[0] == 0, "the next run finds it"
    assert server.stats()["batches"] == 1
    server.control(batch={"unmade_creations": 1})
    assert judge(*BATCH, "--repeats", 2)[0] == 2
    assert server.stats()["batches"] == 0
    assert judge(*BATCH, "--repeats", 2)[0] == 0, "the next run makes it"
    assert server.stats()["batches"] == 1
    assert len(verdicts(tmp_path)) == 12
    assert manifest(tmp_path)["calls"]["lost"] == 0


def under_way(judge, server, monkeypatch):
    """Leave a batch under way behind, as a kill does."""
    server.control(batch={"ends": "never"})

    async def killed(self, name):
        raise KeyboardInterrupt

    monkeypatch.setattr("vlm_grpo.judge.batch.BatchRunner._ended", killed)
    assert judge(*BATCH)[0] == 130
    monkeypatch.undo()


def test_a_batch_under_way_is_not_ignored_without_the_option(judge, server, tmp_path, monkeypatch):
    under_way(judge, server, monkeypatch)
    for more in ([], ["--ask-again"], ["--max-cost", "1"]):
        code, _, err = judge(*more)
        assert code == 2
        assert "a batch is under way (batch-0 with 6 calls); add --batch" in err
    server.control(keep_counts=True)
    assert judge(*BATCH)[0] == 0
    stats = server.stats()
    assert (stats["batches"], stats["requests"], len(verdicts(tmp_path))) == (1, 0, 6)
    assert judge()[0] == 0


def test_the_budget_counts_a_batch_under_way(judge, server, tmp_path, monkeypatch):
    under_way(judge, server, monkeypatch)
    notes = tmp_path / "out" / "batches.jsonl"
    notes.write_bytes(notes.read_bytes() + b'{"token": "x", "sta')
    assert BatchNotes(tmp_path / "out").in_words() == "batch-0 with 6 calls"
    server.control(keep_counts=True)
    code, _, err = judge(*BATCH, "--max-cost", "0.0001")
    assert code == 0, "its answers are paid already"
    assert "6 calls were sent, may have been paid" in err
    assert manifest(tmp_path)["cost"] == pytest.approx(6 * PRICE)
    assert manifest(tmp_path)["cost_at_bound"] == pytest.approx(0, abs=1e-12)


def test_a_batch_is_as_large_as_the_budget(judge, server, tmp_path):
    code, _, err = judge(*BATCH, "--max-cost", "0.0045", "--max-output-tokens", "400")
    assert code == 0, err
    assert server.stats()["batches"] > 1
    code, _, err = judge(*BATCH, "--max-cost", "0.0045", "--max-output-tokens", "400", "--repeats", "3")
    assert code == 2
    assert "stopped before --max-cost" in err
    assert sum(server.stats()["paid"].values()) * PRICE <= 0.0045


@pytest.mark.parametrize("ends", ["cancelled", "expired"])
def test_a_batch_that_was_stopped_keeps_its_answers(judge, server, tmp_path, ends):
    server.control(batch={"ends": ends, "failures": 2})
    code, _, err = judge(*BATCH)
    assert len(verdicts(tmp_path)) == (4 if ends == "cancelled" else 6)
    assert code == (2 if ends == "cancelled" else 0)
    if ends == "cancelled":
        assert "batch-0 was cancelled; run the same command again" in err
        assert judge(*BATCH)[0] == 0
    assert sum(server.stats()["paid"].values()) == 6


@pytest.mark.parametrize(
    "errors, code, message",
    [
        ([{"code": "invalid_request", "message": "line too long", "line": 3}], 0, ""),
        (
            [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}],
            2,
            "Enqueued token limit",
        ),
        ([{"code": "billing_hard_limit_reached", "message": "Billing hard limit"}], 2, "add credit"),
        ([{"code": "model_not_found", "message": "no such model", "line": 1}], 2, "check --model"),
        ([{"code": "x", "message": "bad", "line": i} for i in range(1, 7)], 2, "bad"),
        ([{"code": "x", "message": "bad", "line": 99}], 2, "bad"),
        ([], 2, "no reason given"),
    ],
)
def test_a_batch_that_the_server_did_not_start(judge, server, tmp_path, errors, code, message):
    server.control(batch={"ends": "failed", "errors": errors})
    first_code, _, err = judge(*BATCH)
    assert first_code == code, err
    assert message in err
    assert (manifest(tmp_path) is None) == (code == 2)
    assert reasons(tmp_path).total() == (0 if code else 1)


def test_what_is_no_file_of_a_batch_is_not_taken_for_one(judge, server, tmp_path):
    server.control(batch={"output": ["<html>busy</html>"]})
    code, _, err = judge(*BATCH)
    assert code == 2
    assert "run the same command again" in err
    assert judge(*BATCH)[0] == 0
    assert server.stats()["batches"] == 1
    assert not reasons(tmp_path)


def test_a_batch_that_the_server_forgot_says_what_to_do(judge, server, tmp_path, monkeypatch):
    under_way(judge, server, monkeypatch)
    server.control()
    code, _, err = judge(*BATCH)
    assert code == 2
    assert "batch-0" in err
    assert "remove its lines from" in err
    (tmp_path / "out" / "batches.jsonl").unlink()
    assert judge(*BATCH)[0] == 0


def test_free_requests_are_patient(judge, server, tmp_path):
    server.control(batch={"busy": 0.4, "seed": 2})
    assert judge(*BATCH)[0] == 0
    assert len(verdicts(tmp_path)) == 6
