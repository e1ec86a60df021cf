"""Whether an answer is right travels from the evaluation through the verdicts into the alignment table."""

import json

import pytest

from vlm_grpo.evaluation import generations, outcomes
from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.judge import command
from vlm_grpo.paper import tables_command
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest

YES = [
    Row(id=str(i), images=(), problem=f"Is the cat left of box {i}?", solution="True", task="vsr") for i in range(12)
]
COUNT = [
    Row(id=str(i), images=(), problem=f"How many cats are on box {i}?", solution=solution, task="counting")
    for i, solution in enumerate(("3", "10", "7"))
]


def say(answer):
    return f"<think> The cat sits there, I see it. </think> <answer> {answer} </answer>"


@pytest.fixture
def evaluate(tmp_path):
    """A finished evaluation of `rows`, answered by `texts` and read by `rule`; returns its generations."""

    def write(name, rows, texts, rule, *, older=False):
        folder = tmp_path / name
        shared = {"split": "test", "model": name, "model_fingerprint": "0", "adapter_fingerprint": None}
        shared |= {"prompt": "reason", "sampling": {}, "prompt_hash": "0", "prompt_tokens": 9, "completion_tokens": 9}
        said = {
            row.id: Generation(**shared, **row.model_dump(exclude={"meta"}), text=text, finish_reason="stop")
            for row, text in zip(rows, texts, strict=True)
        }
        jsonl.write(folder / generations.FILE, [one.model_dump(mode="json") for one in said.values()])
        if not older:
            judged = outcomes.judge_rows(said, rows, rule=rule, where=folder)
            outcomes.write(folder, judged, rows, rule=rule)
        manifest.write(folder, kind="evaluation", config={"answers": rule}, inputs={}, counts={}, seconds=0)
        return folder / generations.FILE

    return write


@pytest.fixture
def table(tmp_path, capsys):
    """Judge arms by rules and return the rows of the alignment table, by arm."""

    def show(*options, **arms):
        given = [part for name, path in arms.items() for part in ("--generations", f"{name}={path}")]
        command.main(["--judge", "rules", *given, "--out", str(tmp_path / "judged")])
        verdicts = str(tmp_path / "judged" / "verdicts.jsonl")
        capsys.readouterr()
        tables_command.main(["--verdicts", verdicts, "--format", "json", "--min-coverage", "0", *options])
        return {row["model"]: row for row in json.loads(capsys.readouterr().out)}

    return show


@pytest.mark.parametrize("older", [False, True], ids=["outcomes", "an older evaluation"])
def test_an_answer_read_relaxed_is_right_in_the_table_too(evaluate, table, older):
    row = table(base=evaluate("base", YES, [say("Yes.")] * 12, "relaxed", older=older))["base"]
    assert (row["correct"], row["total"], row["answers_read"], row["answer_rule"]) == (12, 12, 12, "relaxed")


def test_a_rule_that_is_asked_for_counts_instead(evaluate, table):
    row = table("--answer-rule", "strict", base=evaluate("base", YES, [say("Yes.")] * 12, "relaxed"))["base"]
    assert (row["correct"], row["answers_read"], row["answer_rule"]) == (0, 0, "strict")


def test_arms_read_by_two_rules_are_told_apart(evaluate, table):
    base = evaluate("base", YES, [say("Yes.")] * 12, "relaxed")
    rows = table(base=base, grpo=evaluate("grpo", YES, [say("Yes.")] * 11 + [say("True")], "strict"))
    assert (rows["base"]["correct"], rows["grpo"]["correct"], rows["grpo"]["answers_read"]) == (12, 1, 1)
    assert rows["grpo"]["answer_rule"] == "relaxed (base), strict (grpo)"


def test_answers_that_are_no_truth_values_have_a_table(evaluate, table):
    row = table(base=evaluate("base", COUNT, [say("3"), say("11"), say("many")], "strict"))["base"]
    assert (row["correct"], row["answers_read"], row["total"]) == (1, 2, 3)


def test_a_row_that_the_outcomes_lack_is_refused(evaluate, table, capsys):
    path = evaluate("base", YES, [say("True")] * 12, "strict")
    kept = jsonl.read(path.with_name(outcomes.FILE))[:-1]
    jsonl.write(path.with_name(outcomes.FILE), kept)
    with pytest.raises(SystemExit) as left:
        table(base=path)
    assert left.value.code == 2
    assert "line 12: row '11' has no line in outcomes.jsonl; evaluate again" in capsys.readouterr().err
