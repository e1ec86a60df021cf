import json
import shutil

import pytest

from tiny_data import save_tiny_data, tiny_rows
from tiny_generations import TEXT
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import outcomes
from vlm_grpo.evaluation.arms import compare, open_arm
from vlm_grpo.evaluation.compare import main
from vlm_grpo.evaluation.generations import FILE
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments


def make_arm(model, data, out, *, right=(), **changes):
    """A real evaluation whose texts are then put right for the rows numbered in `right`, wrong for the others."""
    asked = {"model": str(model), "data": str(data), "out": str(out), "max_new_tokens": 1} | changes
    path = out / FILE
    evaluate(EvaluationArguments(**asked))
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        truth = "True" in record["solution"]
        record["text"] = TEXT[truth if int(record["id"][-3:]) in right else not truth]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    (out / outcomes.FILE).unlink()  # as in an evaluation of an earlier version: the texts are read again
    return out


@pytest.fixture(scope="module")
def arms(tiny_qwen, tiny_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("arms")
    first = make_arm(tiny_qwen, tiny_data, root / "first", right=range(4))
    second = make_arm(tiny_qwen, tiny_data, root / "second", right=range(2, 12))
    return first, second


def test_counts_and_test(arms, tmp_path, capsys):
    compared = compare(*map(open_arm, arms))
    assert compared == {"n": 12, "b": 2, "c": 8, "difference": 0.5, "mcnemar_p": pytest.approx(0.109375)}
    main([*map(str, arms), "--out", str(tmp_path / "pair.json")])
    assert "b = 2" in capsys.readouterr().out
    assert json.loads((tmp_path / "pair.json").read_text())["c"] == 8


def test_other_rows_are_refused(arms, tiny_qwen, tiny_data, tmp_path):
    part = make_arm(tiny_qwen, tiny_data, tmp_path / "part", limit=3)
    with pytest.raises(UserError, match="different rows"):
        compare(open_arm(arms[0]), open_arm(part))


def test_rows_with_the_same_ids_and_other_content_are_refused(arms, tiny_qwen, tmp_path):
    rows = [row.model_copy(update={"problem": "Another question?"}) for row in tiny_rows(12)]
    data = save_tiny_data(tmp_path / "data", validation=rows)
    other = make_arm(tiny_qwen, data, tmp_path / "other")
    with pytest.raises(UserError, match="share ids but not content"):
        compare(open_arm(arms[0]), open_arm(other))


def cut(file, size):
    file.write_bytes(file.read_bytes()[:-size])


DAMAGES = {
    "a torn line": (
        lambda arm: cut(arm / FILE, 30),
        "generations.jsonl lacks row 'validation-0",
    ),
    "half the file": (
        lambda arm: cut(arm / FILE, (arm / FILE).stat().st_size // 2),
        "generations.jsonl lacks row",
    ),
    "no answers": (lambda arm: (arm / FILE).unlink(), "lacks row 'validation-000' (12 of 12"),
    "one line too many": (lambda arm: add_row(arm / FILE, "elsewhere"), "generations.jsonl has row 'elsewhere'"),
    "another encoding": (lambda arm: (arm / FILE).write_bytes((arm / FILE).read_text().encode("utf-16")), "UTF-16"),
    "no scores": (lambda arm: (arm / "scores.json").unlink(), "scores.json is missing"),
    "torn scores": (lambda arm: cut(arm / "scores.json", 9), "scores.json: damaged JSON"),
    "hollow scores": (lambda arm: (arm / "scores.json").write_text("{}"), "scores.json has no 'split'"),
    "NaN": (lambda arm: (arm / "scores.json").write_text('{"n": NaN}'), "NaN is no finite number"),
    "torn manifest": (lambda arm: cut(arm / "manifest.json", 9), "manifest.json: damaged JSON"),
    "hollow manifest": (lambda arm: (arm / "manifest.json").write_text('{"kind": "evaluation"}'), "has no 'config'"),
}


def add_row(file, name):
    record = json.loads(file.read_text().splitlines()[0]) | {"id": name}
    file.write_text(file.read_text() + json.dumps(record) + "\n")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_copy_is_one_line(arms, tmp_path, capsys, damage):
    spoil, message = DAMAGES[damage]
    copy = shutil.copytree(arms[0], tmp_path / "copy")
    spoil(copy)
    with pytest.raises(SystemExit) as left:
        main([str(copy), str(arms[1])])
    assert left.value.code == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.count("\n") == 1


def test_a_copy_without_its_last_newline_is_whole(arms, tmp_path):
    copy = shutil.copytree(arms[0], tmp_path / "copy")
    cut(copy / FILE, 1)
    assert compare(open_arm(copy), open_arm(arms[1])) == compare(*map(open_arm, arms))


def test_an_unfinished_arm_is_refused(arms, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main([str(arms[0]), str(tmp_path / "none")])
    assert left.value.code == 2
    assert "does not exist" in capsys.readouterr().err
