"""The folder of a judge's run stays true: odd records, damaged lines, kills, other modes, a server that moved."""

import json
import subprocess
import sys
import time

import pytest

from vlm_grpo.paper import tables_command as alignment
from vlm_grpo.store import jsonl
from vlm_grpo.store.encoding import well_formed

SURROGATE = "\ud83d"


def out(tmp_path, name):
    return tmp_path / "out" / name


def verdicts(tmp_path):
    return jsonl.read(out(tmp_path, "verdicts.jsonl"))


ODD = [SURROGATE, "\udc00\ud800", "\0", "\u2028", "\ufeff", "\x1b[31m", "\u0085", "\uffff"]


@pytest.mark.parametrize("mode", [(), ("--batch", "--batch-poll", "0.01"), ("--judge", "rules")])
def test_odd_generations_are_judged_with_the_others(judge, write_generations, tmp_path, mode):
    thought = "<think> base sees cat {} {} here </think> <answer> True </answer>"
    write_generations(tmp_path, "base", 10, text=lambda i: thought.format(i, ODD[i] if i < len(ODD) else ""))
    assert judge(*mode, base_url="rules" not in mode)[0] == 0
    lines = verdicts(tmp_path)
    assert len(lines) == 10
    assert all(line["missing"] is None or "rules" in mode for line in lines)
    for line, odd in zip(sorted(lines, key=lambda line: line["row_id"]), ODD, strict=False):
        assert well_formed(odd) in line["reasoning"]
    if "rules" not in mode:
        alignment.main(["--verdicts", str(out(tmp_path, "verdicts.jsonl")), "--format", "csv"])


def test_odd_ids_images_and_questions_are_kept_apart(judge, write_generations, tmp_path):
    places = {"id": lambda i: f"row-{i}{SURROGATE}", "images": [f"a{SURROGATE}.jpg"], "model": f"m{SURROGATE}"}
    write_generations(tmp_path, "base", 3, problem=f"Is it so? {SURROGATE}", **places)
    assert judge()[0] == 0
    assert judge()[0] == 0
    assert sorted(line["row_id"] for line in verdicts(tmp_path)) == [f"row-{i}\ufffd" for i in range(3)]


@pytest.mark.parametrize("answers", ["surrogate", "surrogate inside", "NUL", "line separator"])
def test_an_odd_answer_is_kept(judge, server, tmp_path, answers):
    server.control(answers=answers)
    assert judge()[0] == 0
    paid = server.stats()["requests"]
    assert judge()[0] == judge("--reparse")[0] == 0
    assert server.stats()["requests"] == paid == 6
    lines = verdicts(tmp_path)
    assert len(lines) == 6
    assert all(line["aligns"] or (line["missing"] and answers == "surrogate inside") for line in lines)


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [*lines[:2], b"\n", *lines[2:]],
        lambda lines: [*lines[:2], b"\0" * 100 + b"\n", *lines[2:]],
        lambda lines: [*lines, b"\0" * 100],
        lambda lines: [*lines, lines[0], lines[1]],
        lambda lines: [lines[0][:40] + b"\n", *lines[1:]],
        lambda lines: [b"[]\n", b'"row"\n', b"{}\n", b'{"row_id": "row-0", "model": "base", "repeat": null}\n', *lines],
        lambda lines: [lines[0][:-1] + lines[1], *lines[2:]],
        lambda lines: [*lines[:-1], lines[-1][:60]],
    ],
)
def test_damaged_lines_cost_no_other(judge, server, tmp_path, damage):
    assert judge()[0] == 0
    before = {line["row_id"]: line for line in verdicts(tmp_path)}
    for name in ("verdicts.jsonl", "responses.jsonl", "asked.jsonl"):
        path = out(tmp_path, name)
        whole = path.read_bytes()
        path.write_bytes(b"".join(damage(whole.splitlines(keepends=True))))
        assert judge()[0] == 0
        assert {line["row_id"]: line for line in verdicts(tmp_path)} == before
        assert len(verdicts(tmp_path)) == 6
        path.write_bytes(whole)
    assert server.stats()["requests"] == 6


def test_a_reply_that_is_lost_with_its_verdict_is_asked_again(judge, server, tmp_path):
    assert judge()[0] == 0
    for name in ("verdicts.jsonl", "responses.jsonl"):
        lines = out(tmp_path, name).read_bytes().splitlines(keepends=True)
        row = next(i for i, line in enumerate(lines) if b'"row-2"' in line)
        lines[row] = b"\0" * 80 + b"\n"
        out(tmp_path, name).write_bytes(b"".join(lines))
    code, _, err = judge()
    assert code == 0
    assert "1 lines that cannot be read" in err
    assert len(verdicts(tmp_path)) == 6
    assert server.stats()["requests"] == 7


def test_reparse_asks_nobody_and_loses_nothing(judge, server, tmp_path):
    server.control(items={"sees cat 4 ": "400"}, plan=["ok"])
    assert judge("--concurrency", 1)[0] == 0
    before = verdicts(tmp_path)
    assert sum(line["missing"] is not None for line in before) == 1
    server.control(models_reply=[500, "", "text/plain"], rate=1.0, faults=["500"])
    assert judge("--reparse")[0] == 0
    assert sorted(verdicts(tmp_path), key=lambda line: line["row_id"]) == before
    assert server.stats()["requests"] == 0
    code, _, err = judge("--reparse", "--repeats", 2)
    assert code == 2
    assert "--reparse asks nobody, and 6 verdicts have no reply" in err
    assert not out(tmp_path, "manifest.json").exists()
    for more in ("--ask-again", "--batch"):
        assert "leave out --ask-again and --batch" in judge("--reparse", more)[2]


def test_no_manifest_stands_while_repeats_are_pending(judge, server, tmp_path):
    assert judge()[0] == 0
    server.control(plan=["ok"] * 2 + ["500"] * 100)
    assert judge("--repeats", 2, "--attempts", 1)[0] == 2
    assert not out(tmp_path, "manifest.json").exists()
    assert judge()[0] == 0, "six of the first repeat, two of the second"
    assert len(verdicts(tmp_path)) == 8


def test_no_manifest_stands_when_asking_again_is_killed(judge, server, tmp_path):
    server.control(answers="wrong schema")
    assert judge()[0] == 0
    assert out(tmp_path, "manifest.json").exists()
    server.control(rate=1.0, faults=["time-out"])
    script = "import sys; from vlm_grpo.judge.command import main; main(sys.argv[1:])"
    given = ["--generations", f"base={tmp_path / 'base.jsonl'}", "--out", str(tmp_path / "out"), "--model", "o4-mini"]
    arguments = [sys.executable, "-c", script, *given, "--base-url", server.url, "--ask-again"]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
        while server.stats()["requests"] < 6:
            time.sleep(0.05)
        process.kill()
    assert not out(tmp_path, "manifest.json").exists()
    server.control()
    code, _, err = judge("--ask-again")
    assert code == 0
    assert "6 calls were sent, may have been paid, and have no answer in the store" in err
    assert json.loads(out(tmp_path, "manifest.json").read_text())["calls"]["lost"] == 6


def test_a_server_that_moved_is_the_same_run(judge, server, tmp_path):
    server.control(plan=["ok"] * 3 + ["500"] * 100)
    assert judge("--concurrency", 1, "--attempts", 1)[0] == 2
    server.control()
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    assert judge("--base-url", elsewhere)[0] == 0
    assert server.stats()["requests"] == 3
    manifest = json.loads(out(tmp_path, "manifest.json").read_text())
    assert manifest["config"]["base_url"] == elsewhere


@pytest.mark.parametrize("key", ["null", "a", "o4-mini"])
def test_a_placeholder_key_changes_nothing(judge, server, tmp_path, monkeypatch, key):
    monkeypatch.setenv("JUDGE_API_KEY", key)
    assert judge()[0] == 0
    assert [(line["aligns"] is None, line["judge_version"]) for line in verdicts(tmp_path)] == [(False, "o4-mini")] * 6
    assert server.stats()["requests"] == 6


@pytest.mark.parametrize("mode", [(), ("--batch", "--batch-poll", "0.01")])
def test_no_spelling_of_the_key_is_kept(judge, server, tmp_path, monkeypatch, mode):
    key = "sk-ab/cd+ef=="
    monkeypatch.setenv("JUDGE_API_KEY", key)
    server.control(answers="escaped key")
    code, shown, err = judge(*mode)
    assert code == 0
    written = "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert "[key removed]" in written
    for spelling in (key, key.replace("/", "\\/"), key.replace("/", "\\\\/")):
        assert spelling not in written + shown + err


@pytest.mark.parametrize(
    "change",
    [
        {"text": None},
        {"text": ["a"]},
        {"solution": True},
        {"solution": None},
        {"solution": 1},
        {"images": None},
        {"images": "a.jpg"},
        {"images": [1]},
        {"problem": 3},
        {"problem": None},
        {"id": None},
        {"id": ""},
        {"id": True},
        {"id": 1.5},
        {"id": ["a"]},
        {"split": ["a"]},
        {"split": 3},
        {"model": {}},
    ],
)
def test_fields_of_another_type_are_one_line(judge, write_generations, tmp_path, change):
    path = write_generations(tmp_path, "base", 4)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[1] |= change
    path.write_text("\n".join(map(json.dumps, lines)))
    code, _, err = judge("--judge", "rules", base_url=False)
    assert code == 2
    assert f"{path} line 2: " in err
    assert err.count("\n") == 1


def test_whole_numbers_are_ids_and_the_last_line_needs_no_newline(judge, write_generations, tmp_path):
    path = write_generations(tmp_path, "base", 4, id=lambda i: 391895 + i)
    path.write_bytes(path.read_bytes().rstrip())
    assert judge("--judge", "rules", base_url=False)[0] == 0
    assert [line["row_id"] for line in verdicts(tmp_path)] == ["391895", "391896", "391897", "391898"]


@pytest.mark.parametrize(
    "option", ["--max-cost=nan", "--max-cost=-1", "--timeout=0", "--timeout=nan", "--retry-wait=-1", "--batch-poll=inf"]
)
def test_impossible_numbers_are_one_line(judge, option):
    code, _, err = judge(option)
    assert code == 2
    assert option.partition("=")[0] in err
    assert err.count("\n") == 1
