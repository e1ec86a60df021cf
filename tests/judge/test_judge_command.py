"""`judge.py` against a real server, through the real SDK."""

import json
from collections import Counter
from pathlib import Path

import pytest

from vlm_grpo.paper import tables_command as alignment
from vlm_grpo.store import jsonl
from vlm_grpo.verdicts import limit

KEY = "sk-proj-0123456789-secret"


def verdicts(tmp_path: Path) -> list[dict]:
    return jsonl.read(tmp_path / "out" / "verdicts.jsonl")


def test_a_verdict_line_has_all_that_the_contract_says(judge, tmp_path):
    assert judge()[0] == 0
    line = verdicts(tmp_path)[0]
    assert line["judge"] == line["judge_version"] == "o4-mini"
    assert line["usage"] == {"input": 400, "output": 100}
    assert line["cost"] == pytest.approx(400 * 1.1e-6 + 100 * 4.4e-6)
    assert json.loads(line["raw"])["choices"]
    assert line["split"] == "test"
    assert len(line["prompt_hash"]) == 64
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"] == {"rows": 6, "split": 6, "verdicts": 6, "missing": 0}
    assert manifest["cost"] == pytest.approx(6 * line["cost"])


@pytest.mark.parametrize("fault", ["429", "429 retry-after", "429 retry-after-ms", "500", "503", "reset", "cut body"])
def test_transient_faults_are_tried_again(judge, server, tmp_path, fault):
    server.control(plan=[fault, "ok", fault, fault])
    assert judge()[0] == 0
    assert server.stats()["faults"] == {fault: 3}
    assert set(server.stats()["answered"].values()) == {1}
    assert all(line["missing"] is None for line in verdicts(tmp_path))


@pytest.mark.parametrize("fault", ["time-out", "damaged JSON", "slow body"])
def test_late_and_damaged_bodies(judge, server, tmp_path, fault):
    server.control(plan=["ok", fault])
    assert judge()[0] == 0
    assert set(server.stats()["answered"].values()) == {1}
    assert len(verdicts(tmp_path)) == 6


def test_only_replies_without_sense_make_a_call_hopeless(judge, server, write_generations, tmp_path):
    write_generations(tmp_path, "base", 1)
    server.control(plan=["500", "503", "reset", "429", "damaged JSON"])
    assert judge("--attempts", 12)[0] == 0
    assert [line["missing"] for line in verdicts(tmp_path)] == [None]


def test_retry_after_is_honoured_and_holds_back_everything(judge, server):
    server.control(plan=["ok", "429 one second"])
    assert judge("--concurrency", 1)[0] == 0
    times = server.stats()["times"]
    assert len(times) == 7
    assert times[2] - times[1] >= 1


def test_an_overloaded_server_is_asked_less(judge, server, write_generations, tmp_path, monkeypatch):
    write_generations(tmp_path, "base", 100)
    refused = {}
    for decrease in (limit.DECREASE, 1.0):
        monkeypatch.setattr(limit, "DECREASE", decrease)
        server.control(capacity=3, latency=0.02)
        assert judge("--concurrency", 32, "--attempts", 100, "--out", tmp_path / str(decrease))[0] == 0
        refused[decrease] = server.stats()["faults"]["429"]
    assert refused[0.8] < 0.8 * refused[1.0]


@pytest.mark.parametrize(
    "answers, reason",
    [
        ("wrong schema", "not a judgement: aligns: Field required"),
        ("misaligned without type", "not a judgement: Value error, type is None where aligns is False"),
        ("refusal", "refusal: I cannot help with that."),
        ("cut off", "incomplete: length"),
    ],
)
def test_an_unusable_answer_is_missing_and_not_asked_again(judge, server, tmp_path, answers, reason, capsys):
    server.control(answers=answers)
    assert judge()[0] == 0
    assert {line["missing"] for line in verdicts(tmp_path)} == {reason}
    assert {line["aligns"] for line in verdicts(tmp_path)} == {None}
    assert judge()[0] == 0
    assert set(server.stats()["answered"].values()) == {1}
    with pytest.raises(SystemExit):
        alignment.main(["--verdicts", str(tmp_path / "out" / "verdicts.jsonl")])
    assert "coverage of base is 0.0%, below the declared 95.0%" in capsys.readouterr().err
    server.control()
    assert judge("--ask-again")[0] == 0
    assert {line["missing"] for line in verdicts(tmp_path)} == {None}
    assert len(verdicts(tmp_path)) == 6


@pytest.mark.parametrize(
    "fault, message",
    [
        ("401", "check the key"),
        ("404", "check --model"),
        ("429 no quota", "add credit"),
        ("400", "this item is too long"),
    ],
)
def test_permanent_errors_stop_at_once_with_one_line(judge, server, fault, message):
    server.control(rate=1.0, faults=[fault])
    code, _, err = judge()
    assert code == 2
    assert message in err
    assert err.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in err
    assert server.stats()["faults"][fault] <= 8


def test_a_rejected_item_is_missing_and_the_others_are_judged(judge, server, tmp_path):
    server.control(plan=["400"], latency=0.02)
    assert judge("--concurrency", 1)[0] == 0
    missing = [line["missing"] for line in verdicts(tmp_path) if line["missing"]]
    assert len(missing) == 1
    assert missing[0].startswith("rejected: HTTP 400")


def test_a_request_that_is_always_rejected_stops_the_run(judge, server, write_generations, tmp_path):
    write_generations(tmp_path, "base", 40)
    server.control(rate=1.0, faults=["400"])
    code, _, err = judge()
    assert code == 2
    assert "answers nothing" in err
    assert server.stats()["faults"]["400"] < 40
    assert verdicts(tmp_path) == []


def test_what_stays_unanswered_is_asked_by_the_next_run(judge, server, tmp_path):
    server.control(plan=["ok"] + ["500"] * 200)
    code, _, err = judge("--attempts", 2)
    assert code == 2
    assert "5 verdicts are left (HTTP 500 5); run the same command again" in err
    assert not (tmp_path / "out" / "manifest.json").exists()
    server.control()
    assert judge()[0] == 0
    assert sum(server.stats()["answered"].values()) == 5


def test_an_unknown_or_leaving_model_is_told_before_any_call(judge, server, tmp_path):
    server.control(models=[{"id": "gpt-5.6-terra", "object": "model"}])
    code, _, err = judge()
    assert code == 2
    assert "does not serve o4-mini (it left the API on 2026-10-23)" in err
    assert "results/paper/alignment" in err
    assert "--model" in err
    assert err.count("\n") == 1
    server.control(models=[{"id": "new", "object": "model", "shutdown_date": "2020-01-01"}])
    code, _, err = judge("--out", tmp_path / "new", model="new")
    assert code == 0
    assert "warning: new was to leave the API on 2020-01-01" in err


def test_without_a_key_the_default_judge_says_what_is_left(judge):
    code, _, err = judge(base_url=False)
    assert code == 2
    assert "o4-mini left the API on 2026-10-23" in err
    assert "no OPENAI_API_KEY" in err
    assert "--judge rules" in err


def test_the_responses_api_sends_the_schema_and_no_temperature(judge, server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert judge("--judge", "openai", "--effort", "low")[0] == 0
    body = server.stats()["bodies"][0]
    assert body["text"]["format"]["type"] == "json_schema"
    assert body["reasoning"] == {"effort": "low"}
    assert body["store"] is False
    assert "temperature" not in body
    assert verdicts(tmp_path)[0]["usage"] == {"input": 400, "output": 100}


@pytest.mark.parametrize("case", ["echoed in answers", "echoed in an error"])
def test_the_key_reaches_no_output(judge, server, tmp_path, monkeypatch, case):
    monkeypatch.setenv("JUDGE_API_KEY", KEY)
    server.control(echo=True) if "answers" in case else server.control(rate=1.0, faults=["401"])
    code, out, err = judge()
    assert code == (0 if "answers" in case else 2)
    written = "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert "[key removed]" in (written if code == 0 else err)
    assert KEY not in out + err + written


def test_dry_run_asks_nothing(judge, server, tmp_path):
    code, out, _ = judge("--dry-run", "--repeats", 3)
    assert code == 0
    assert "calls: 18" in out
    assert "cost: about $0.0" in out
    assert server.stats()["times"] == []
    assert not (tmp_path / "out").exists()
    assert "cost: unknown" in judge("--dry-run", model="local")[1]


def test_dry_run_counts_what_is_there_already(judge):
    assert judge()[0] == 0
    assert "calls: 12, 6 verdicts are there already" in judge("--dry-run", "--repeats", 3)[1]


def test_max_cost_stops_in_time_and_goes_on(judge, server, tmp_path):
    code, _, err = judge("--max-cost", "0.0235", "--concurrency", 1)
    assert code == 2
    assert "stopped before --max-cost" in err
    spent = sum(line["cost"] for line in verdicts(tmp_path))
    assert 0 < spent <= 0.0235
    assert judge("--max-cost", "1")[0] == 0
    assert set(server.stats()["answered"].values()) == {1}
    assert "no price of local" in judge("--max-cost", "1", model="local")[2]


def test_repeats_are_added_to_a_run(judge, server, tmp_path):
    assert judge()[0] == 0
    assert judge("--repeats", 3)[0] == 0
    assert Counter(line["repeat"] for line in verdicts(tmp_path)) == {0: 6, 1: 6, 2: 6}
    assert set(server.stats()["answered"].values()) == {3}


def test_verdicts_are_made_anew_without_asking(judge, server, tmp_path):
    assert judge()[0] == 0
    before = verdicts(tmp_path)
    path = tmp_path / "out" / "verdicts.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b'{"torn')
    assert judge()[0] == 0
    assert verdicts(tmp_path) == before
    path.unlink()
    assert judge("--reparse")[0] == 0
    assert verdicts(tmp_path) == before
    assert sum(server.stats()["answered"].values()) == 6


def test_another_runs_folder_is_refused(judge, write_generations, tmp_path):
    assert judge()[0] == 0
    code, _, err = judge("--prompt", "simple")
    assert code == 2
    assert "belongs to another run" in err
    write_generations(tmp_path, "base", 7)
    code, _, err = judge()
    assert code == 2
    assert "generations" in err


def test_the_simple_prompt_asks_no_type(judge, server, tmp_path, capsys):
    server.control(answers="simple")
    assert judge("--prompt", "simple")[0] == 0
    assert "type" not in server.stats()["bodies"][0]["response_format"]["json_schema"]["schema"]["properties"]
    alignment.main(["--verdicts", str(tmp_path / "out" / "verdicts.jsonl")])
    shown = capsys.readouterr().out
    assert "o4-mini (simple prompt)" in shown
    assert "6 misaligned verdicts carry no type" in shown


def test_unjudgeable_rows_cost_nothing(judge, server, write_generations, tmp_path):
    write_generations(tmp_path, "base", 4, text="<answer> True </answer>", finish_reason="length")
    assert judge()[0] == 0
    assert server.stats()["times"] == []
    assert {line["missing"] for line in verdicts(tmp_path)} == {
        "the response has no reasoning (cut off at the token limit)"
    }


@pytest.mark.parametrize(
    "change, message",
    [
        ({"problem": None}, "line 1"),
        ({"solution": "perhaps"}, "line 1: solution 'perhaps'"),
        ({"id": "same"}, "line 2: row 'same' occurs twice"),
    ],
)
def test_broken_generations_are_named(judge, write_generations, tmp_path, change, message):
    if change == {"problem": None}:
        path = tmp_path / "base.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps({k: v for k, v in r.items() if k != "problem"}) + "\n" for r in rows))
    else:
        write_generations(tmp_path, "base", 3, **change)
    code, _, err = judge()
    assert code == 2
    assert message in err


def test_arms_of_other_rows_are_refused(judge, write_generations, tmp_path):
    path = write_generations(tmp_path, "grpo", 5)
    code, _, err = judge("--generations", f"grpo={path}")
    assert code == 2
    assert "base and grpo differ in 1 rows, for example 'row-5'" in err


def test_arms_have_names_of_their_own(judge, write_generations, tmp_path):
    path = write_generations(tmp_path, "grpo", 6)
    code, _, err = judge("--generations", f"base ={path}")
    assert code == 2
    assert "two arms are called 'base'; give each --generations a name of its own" in err
    assert not (tmp_path / "out").exists()


def test_batches_are_submitted_fetched_and_found_again(judge, server, tmp_path):
    server.control(batch={"failures": 2})
    code, _, err = judge("--batch", "--batch-poll", "0.01")
    assert code == 0, err
    assert server.stats()["batches"] == 2
    assert set(server.stats()["answered"].values()) == {1}
    assert len(verdicts(tmp_path)) == 6
    assert verdicts(tmp_path)[0]["cost"] == pytest.approx((400 * 1.1e-6 + 100 * 4.4e-6) / 2)
    # killed after the batch was made and before that was noted: only the token is there
    for name in ("verdicts.jsonl", "responses.jsonl"):
        (tmp_path / "out" / name).unlink()
    notes = tmp_path / "out" / "batches.jsonl"
    notes.write_bytes(notes.read_bytes().splitlines(keepends=True)[0])
    code, _, err = judge("--batch", "--batch-poll", "0.01")
    assert code == 0, err
    assert server.stats()["batches"] == 3
    assert len(verdicts(tmp_path)) == 6


RULES = ["--judge", "rules"]


def test_the_rules_judge_needs_no_server_and_says_what_it_cannot_judge(judge, write_generations, tmp_path, capsys):
    problem = "Is the following statement true: The red circle is left of the blue square."
    places = "The red circle is in column 1, the blue square in column 3, so it is left."
    write_generations(
        tmp_path, "base", 3, problem=problem, solution="True", text=f"<think> {places} </think> <answer> True </answer>"
    )
    code, out, err = judge(*RULES, base_url=False)
    assert code == 0, err
    assert "reads only the templated claims" in err
    assert [line["aligns"] for line in verdicts(tmp_path)] == [True] * 3
    alignment.main(["--verdicts", str(tmp_path / "out" / "verdicts.jsonl")])
    assert "judge rules (taxonomy prompt)" in capsys.readouterr().out
    write_generations(tmp_path, "base", 3)
    code, out, err = judge(*RULES, "--out", tmp_path / "free", base_url=False)
    assert code == 0
    assert "missing 3: cannot judge" in out
