"""`judge.py` against replies that are not what their status says: asked again, missing, or one line; paid for once."""

import json
from collections import Counter

import pytest
from fault_bodies import LOST, READABLE

from vlm_grpo.store import jsonl

PRICE = 400 * 1.1e-6 + 100 * 4.4e-6
SPOILT = [name for name in READABLE if "usage" in name]


def verdicts(tmp_path):
    return jsonl.read(tmp_path / "out" / "verdicts.jsonl")


def reasons(tmp_path):
    return Counter(line["missing"] for line in verdicts(tmp_path) if line["missing"])


def manifest(tmp_path):
    path = tmp_path / "out" / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else None


def test_errors_in_words_are_asked_again(judge, server, tmp_path):
    faults = ["200 rate limit", "200 overloaded", "200 detail", "error in a stream", "502 page", "error after text"]
    server.control(plan=faults)
    assert judge()[0] == 0
    assert set(server.stats()["faults"]) == set(faults)
    assert set(server.stats()["answered"].values()) == {1}
    assert not reasons(tmp_path)


def test_a_failed_response_is_asked_again(judge, server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    server.control(plan=["failed response"] * 3)
    assert judge("--judge", "openai")[0] == 0
    assert not reasons(tmp_path)
    assert server.stats()["requests"] == 9


def test_every_wrapping_is_read_at_once(judge, server, write_generations, tmp_path):
    write_generations(tmp_path, "base", len(READABLE))
    server.control(plan=list(READABLE))
    assert judge()[0] == 0
    assert not reasons(tmp_path)
    assert server.stats()["requests"] == len(READABLE)
    costs = [line["cost"] for line in verdicts(tmp_path)]
    assert costs.count(None) == len(SPOILT)
    assert manifest(tmp_path)["calls"] == {"sent": 10, "free": 0, "lost": 0, "without usage": len(SPOILT)}


@pytest.mark.parametrize("fault", [*LOST, "cut body", "200 in words"])
def test_a_server_of_nothing_but_errors_stops_the_run_soon(judge, server, tmp_path, fault):
    server.control(rate=1.0, faults=[fault])
    code, _, err = judge()
    assert code == 2
    assert server.stats()["requests"] <= 16
    assert "the judge's server answers nothing (" in err or fault == "error after text"
    assert {"200 in words": "Unexpected endpoint or method", "web page": "Sign in"}.get(fault, "") in err
    assert err.count("\n") == 1
    assert verdicts(tmp_path) == []
    assert manifest(tmp_path) is None


def test_what_one_item_never_gets_leaves_it_missing_and_ends_the_run(judge, server, write_generations, tmp_path):
    items = ["403", "400", "200 flagged", "web page", "damaged gzip", "200 in words"]
    write_generations(tmp_path, "base", 20)
    server.control(items={f"sees cat {i} ": fault for i, fault in enumerate(items, start=8)})
    code, _, err = judge("--concurrency", 2)
    assert code == 0, err
    assert len(verdicts(tmp_path)) == 20
    assert sum(reasons(tmp_path).values()) == len(items)
    assert server.stats()["requests"] == 14 + 3 + 3 * 5
    requests = server.stats()["requests"]
    assert judge()[0] == 0
    assert server.stats()["requests"] == requests
    server.control()
    assert judge("--ask-again")[0] == 0
    assert not reasons(tmp_path)
    assert server.stats()["requests"] == len(items)


@pytest.mark.parametrize("fault", ["402", "429 no quota", "200 no credit", "401"])
def test_no_credit_stops_the_run_and_a_rerun_goes_on(judge, server, write_generations, tmp_path, fault):
    write_generations(tmp_path, "base", 20)
    server.control(plan=["ok"] * 6 + [fault] * 100)
    code, _, err = judge("--concurrency", 2)
    assert code == 2
    assert ("check the key" if fault == "401" else "add credit") in err
    assert server.stats()["requests"] <= 8
    assert (len(verdicts(tmp_path)), manifest(tmp_path)) == (6, None)
    server.control()
    code, _, err = judge()
    assert code == 0, err
    assert server.stats()["requests"] == 14
    assert not reasons(tmp_path)


def test_an_access_that_ends_on_the_way_makes_nothing_missing(judge, server, write_generations, tmp_path):
    write_generations(tmp_path, "base", 40)
    server.control(plan=["ok"] * 6 + ["403 bare"] * 100)
    code, _, err = judge("--concurrency", 2)
    assert code == 2
    assert "answers nothing any more (rejected: HTTP 403" in err
    assert len(verdicts(tmp_path)) == 6
    server.control()
    assert judge()[0] == 0
    assert not reasons(tmp_path)


@pytest.mark.parametrize(
    "fault", ["damaged JSON", "damaged gzip", "nothing", "error after text", *SPOILT, "cut body", "time-out"]
)
def test_the_budget_counts_what_may_have_been_paid(judge, server, write_generations, tmp_path, fault):
    write_generations(tmp_path, "base", 30)
    limit = 0.03
    server.control(plan=["ok", fault, fault, "ok"] * 50)
    money = ["--max-cost", limit, "--max-output-tokens", 100, "--concurrency", 2, "--timeout", 0.3]
    code, _, err = judge(*money)
    assert code == 2
    assert "stopped before --max-cost" in err
    assert "is the bound of" in err
    assert sum(server.stats()["paid"].values()) * PRICE <= limit
    code, _, err = judge(*money)
    assert code == 2
    assert sum(server.stats()["paid"].values()) * PRICE <= limit


def test_a_reply_that_drips_has_a_deadline(judge, server, tmp_path):
    server.control(items={"sees cat 2 ": "trickle"})
    code, _, err = judge("--timeout", 0.5, "--attempts", 2)
    assert code == 2
    assert "1 verdicts are left (time-out 1)" in err
    assert len(verdicts(tmp_path)) == 5


@pytest.mark.parametrize(
    "reply, message",
    [
        ([200, "<html>login</html>", "text/html"], "no answer from"),
        ([200, '[{"id": "o4-mini"}]', "application/json"], None),
        ([200, '["o4-mini"]', "application/json"], None),
        ([200, '{"models": [{"name": "o4-mini"}]}', "application/json"], None),
        ([200, '{"data": [{"id": "models/o4-mini"}]}', "text/plain"], None),
        ([405, '{"detail": "no"}', "application/json"], None),
        ([404, "not found", "text/plain"], None),
        ([200, '{"data": [{"id": "o4-mini", "shutdown_date": 1767225600}]}', "application/json"], None),
        ([200, '{"data": [{"id": "o4-mini", "shutdown_date": 1767225600000}]}', "application/json"], None),
        ([200, '{"data": [{"id": "o4-mini", "shutdown_date": "Q1 2027"}]}', "application/json"], None),
        ([200, '{"data": [{"id": "o4-mini", "shutdown_date": "2027-13-45"}]}', "application/json"], None),
        ([200, '{"data": [{"id": "o4-mini", "shutdown_date": [1e300]}]}', "application/json"], None),
        ([200, '{"data": [{"id": "o4-mini", "shutdown_date": 1e300}]}', "application/json"], None),
        ([200, '{"data": [{"id": null}, {"name": "x"}, null, 3]}', "application/json"], "does not serve o4-mini"),
        ([200, '{"data": null}', "application/json"], "no answer from"),
        ([200, '{"error": {"message": "busy", "code": 503}}', "application/json"], "busy"),
        ([403, '{"error": {"message": "no"}}', "application/json"], "does not list its models"),
        ([401, '{"error": {"message": "no"}}', "application/json"], "check the key"),
        ([200, "[" * 100000, "application/json"], "no answer from"),
        ([200, "\ufeff" + '{"data": [{"id": "o4-mini"}]}', "application/json"], None),
    ],
)
def test_every_shape_of_the_model_list(judge, server, reply, message):
    server.control(models_reply=reply)
    code, _, err = judge("--concurrency", 6)
    assert code == (2 if message else 0), err
    assert (message or "") in err
    assert err.count("\n") <= 1
