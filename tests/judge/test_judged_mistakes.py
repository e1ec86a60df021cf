"""A judge that makes sentences wrong over real HTTP: what it sees, what its replies become, and what a probe takes."""

import json

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.faithfulness import ask_mistakes
from vlm_grpo.faithfulness.mistakes import Mistake, read_mistakes
from vlm_grpo.faithfulness.probes import PROBES, Case
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest

PACE = ["--retry-wait", "0.01", "--timeout", "2", "--concurrency", "4"]
THOUGHTS = (
    "There are two cars. There is a van. So there are three.",
    "I will guess.",
    "A plane and a bird.",
    "One boat.\nOne ship. {answer} Ignore the above.",
)
TRUTH, ANSWER = "7351", "8642"
TEXTS = {str(i): f"<think> {thought} </think> <answer> {ANSWER} </answer>" for i, thought in enumerate(THOUGHTS)}


def said(mistake):
    return json.dumps({"mistake": mistake, "why": "another number"})


@pytest.fixture
def arm(tmp_path):
    fields = {"problem": "How many things are there?", "solution": TRUTH, "task": "counting"}
    lines = [{"id": id, **fields, "text": text} for id, text in TEXTS.items()]
    jsonl.write(tmp_path / "arm.jsonl", [*lines, {"id": "4", **fields, "text": f"<answer> {ANSWER} </answer>"}])
    return tmp_path / "arm.jsonl"


@pytest.fixture
def ask(arm, server, tmp_path, capsys):
    """Run the command; its exit code and what it says on stderr."""

    def run(*words):
        code = 0
        given = [f"arm={arm}", "--out", str(tmp_path / "out"), "--base-url", server.url, "--model", "local", *PACE]
        try:
            ask_mistakes.main([*given, *words])
        except SystemExit as left:
            code = int(left.code or 0)
        return code, capsys.readouterr().err

    return run


def test_the_judge_sees_the_beginning_and_the_sentence_and_nothing_else(ask, server):
    server.control(answers=said("There is a boat."))
    assert ask() == (0, "")
    bodies = server.stats()["bodies"]
    users = [json.loads(m["content"].split("\n")[0]) for b in bodies for m in b["messages"] if m["role"] == "user"]
    assert len(users) == len(THOUGHTS)
    by_start = {thought[:5]: thought for thought in THOUGHTS}
    for sent in users:
        assert sent.keys() == {"question", "reasoning so far", "sentence"}
        before = sent["reasoning so far"]
        thought = by_start[(before or sent["sentence"])[:5]]
        assert thought.startswith(before)
        assert sent["sentence"] in thought
    assert not any(TRUTH in json.dumps(body) or ANSWER in json.dumps(body) for body in bodies)
    assert all("mistake" in json.dumps(body["response_format"]) for body in bodies)
    assert [sent["sentence"] for sent in users if "guess" in sent["sentence"]] == ["I will guess."]


def test_replies_become_mistakes_that_the_probe_takes(ask, server, tmp_path):
    server.control(said={"guess": said(None), "A plane": said("A plane and a bird."), "boat": said("<answer> 1")},
                   answers=said("There are\nfive cars."))  # fmt: skip
    assert ask()[0] == 0
    lines = {line["id"]: line for line in jsonl.read(tmp_path / "out" / "mistakes.jsonl")}
    assert {id: line["missing"] for id, line in lines.items()} == {
        "0": None,
        "1": "the sentence states nothing that could be wrong, says the judge",
        "2": "the judge repeats the sentence",
        "3": "the judge's '<answer> 1' is no sentence",
    }
    assert json.loads(lines["0"]["raw"])["choices"], "the reply is kept as it came"
    assert manifest.read(tmp_path / "out", kind="judged_mistakes")["counts"]["verdicts"] == 4
    mistakes = read_mistakes(tmp_path / "out" / "mistakes.jsonl", TEXTS)
    row = Row(id="0", images=(), problem="How many?", solution="4", task="counting")
    (variant,) = PROBES["mistake"](Case(row, TEXTS["0"], None, 0, len, mistakes["0"]))
    assert variant.prefill == f"<think> {lines['0']['before']}There are five cars."
    assert variant.judge == "local"
    assert PROBES["mistake"](Case(row, TEXTS["2"], None, 0, len, mistakes["2"])) == "the judge repeats the sentence"
    with pytest.raises(UserError, match="row '0' says something else in this arm"):
        read_mistakes(tmp_path / "out" / "mistakes.jsonl", TEXTS | {"0": TEXTS["3"].replace("One", "No")})


def test_a_rule_that_can_goes_first():
    row = Row(id="r", images=(), problem="The red circle is left of the blue square.", solution="True",
              task="synthetic_vsr")  # fmt: skip
    thought = "The red circle is in column 2, the blue square in column 4, so it is left."
    text = f"<think> {thought} </think> <answer> True </answer>"
    (variant,) = PROBES["mistake"](Case(row, text, None, 0, len, Mistake("A lie.", None, "local")))
    assert variant.judge is None
    assert variant.prefill.endswith("the blue square in column 1")


def test_a_broken_run_goes_on_and_pays_nothing_twice(ask, server, tmp_path):
    server.control(answers=said("There is a boat."), items={"guess": "503"})
    code, told = ask("--attempts", "2")
    assert (code, "1 verdicts are left" in told) == (2, True)
    assert not (tmp_path / "out" / "mistakes.jsonl").exists()
    server.control(answers=said("There is a boat."), keep_counts=True)
    assert ask()[0] == 0
    assert max(server.stats()["paid"].values()) == 1
    assert len(jsonl.read(tmp_path / "out" / "mistakes.jsonl")) == 4
    assert "belongs to another run" in ask("--seed", "1")[1]


def test_mistakes_are_one_line(ask, server, arm, tmp_path):
    assert "no price of local" in ask("--max-cost", "1")[1]
    assert ask("--dry-run")[0] == 0
    assert not (tmp_path / "out").exists()
    jsonl.write(arm, [{"id": "1", "problem": "?", "solution": "4", "task": "counting", "text": "<answer> 4 </answer>"}])
    assert "has no thought to spoil" in ask()[1]
    assert server.stats()["requests"] == 0
    (tmp_path / "bad.jsonl").write_text('{"id": "1"}\n')
    with pytest.raises(UserError, match="line 1: 'before' is missing"):
        read_mistakes(tmp_path / "bad.jsonl", TEXTS)
