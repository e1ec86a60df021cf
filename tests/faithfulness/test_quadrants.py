"""The command over files and evaluations: tables, records, a judge's endings, mistakes in one line."""

import json
from pathlib import Path

import pytest

from vlm_grpo.faithfulness import quadrants
from vlm_grpo.store import jsonl, manifest

COUNTING = Path(__file__).parents[3] / "shared" / "data" / "counting"
TEXTS = (
    "<think> There are 4 cars. </think> <answer> 4 </answer>",
    "<think> There are 3 cars. </think> <answer> 4 </answer>",
    "<think> a van and a plane </think> <answer> 4 </answer>",
    "<answer> 4 </answer>",
)


def write(path: Path, texts=TEXTS) -> Path:
    jsonl.write(
        path,
        (
            {"id": str(i), "problem": "How many?", "solution": "4", "task": "counting", "text": text}
            for i, text in enumerate(texts)
        ),
    )
    return path


def test_completions_of_a_file_are_crossed(tmp_path, capsys):
    path = write(tmp_path / "a.jsonl")
    jsonl.write(
        tmp_path / "judged.jsonl",
        [{"id": "2", "ending": 2, "judge": "somebody"}, {"id": "1", "ending": 4, "judge": "somebody"}],
    )
    words = [f"a={path}", "--endings", f"a={tmp_path / 'judged.jsonl'}", "--out", str(tmp_path / "out")]
    quadrants.main(words)
    shown = capsys.readouterr().out
    assert "1 missing, no thought before one answer" in shown
    assert "a: what no rule reads is read by somebody" in shown
    figures = json.loads((tmp_path / "out" / "quadrants.json").read_text())["arms"]["a"]
    assert {name: cell["k"] for name, cell in figures["cells"].items() if cell["k"]} == {
        "consistent_right": 1,
        "inconsistent_right": 2,
    }
    assert (figures["read_by_rule"], figures["read_by_judge"]) == (2, 1)
    assert [one["consistent"] for one in jsonl.read(tmp_path / "out" / "endings.jsonl")] == [True, False, False, None]
    assert manifest.read(tmp_path / "out", kind="quadrants")["counts"] == {"a": 4}


def test_two_arms_are_compared_row_by_row(tmp_path):
    good = [text.replace("3 cars", "4 cars") for text in TEXTS]
    words = [f"a={write(tmp_path / 'a.jsonl')}", f"b={write(tmp_path / 'b.jsonl', good)}"]
    quadrants.main([*words, "--out", str(tmp_path / "out")])
    (pair,) = json.loads((tmp_path / "out" / "quadrants.json").read_text())["pairs"]
    assert (pair["first"], pair["second"], pair["n"], pair["b"], pair["c"]) == ("a", "b", 2, 1, 0)


@pytest.mark.skipif(not COUNTING.exists(), reason="the real completions are not here")
def test_the_documented_table_of_real_completions(tmp_path, capsys):
    files = [f"{name}={COUNTING}/completions_qwen2vl_2b_instruct_{which}.json"
             for name, which in (("before", "legacy"), ("after", "r1_200"))]  # fmt: skip
    quadrants.main([*files, "--answers", "relaxed", "--out", str(tmp_path / "out")])
    page = (Path(__file__).parents[2] / "docs" / "faithfulness.md").read_text()
    for line in (tmp_path / "out" / "quadrants.md").read_text().splitlines():
        if line.startswith(("| before", "| after")) and " = " in line:
            assert line in page


@pytest.mark.parametrize(
    "words, message",
    [
        (["{}/a.jsonl", "{}/a.jsonl"], "two arms are called 'a.jsonl'"),
        (["{}/nowhere.jsonl"], "is missing; check the path"),
        (["{}"], "is not finished"),
        (["{}/bad.jsonl"], "bad.jsonl line 1: 'problem' is missing"),
        (["{}/bad.json"], "not R1-V's results"),
        (["a={}/a.jsonl", "--endings", "b={}/a.jsonl"], "names no arm; known: a"),
        (["a={}/a.jsonl", "--endings", "a={}/bad.jsonl"], "needs id and ending"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, words, message):
    write(tmp_path / "a.jsonl")
    (tmp_path / "bad.jsonl").write_text('{"id": "1"}\n')
    (tmp_path / "bad.json").write_text('{"results": [{}]}')
    with pytest.raises(SystemExit) as exit:
        quadrants.main([*(word.format(tmp_path) for word in words), "--out", str(tmp_path / "out")])
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
