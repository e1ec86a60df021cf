"""From Rel3D's files to scores with a real model: predicates and pairs in the file and in what is printed."""

import json

import statement_files
from vlm_grpo.evaluation.__main__ import main as evaluate
from vlm_grpo.tasks.rel3d.command import main as build


def test_an_evaluation_tells_predicates_and_pairs(tiny_qwen, tmp_path, capsys):
    data, out = statement_files.save_rel3d(tmp_path / "Rel3D"), tmp_path / "rel3d"
    build(["--data", str(data), "--out", str(out)])
    asked = [
        "--model",
        str(tiny_qwen),
        "--data",
        str(out),
        "--split",
        "test",
        "--prompt",
        "answer",
        "--answers",
        "bare",
    ]
    evaluate([*asked, "--out", str(tmp_path / "test"), "--max_new_tokens", "2"])
    scores = json.loads((tmp_path / "test/scores.json").read_text())
    assert (scores["task"], scores["n"]) == ("rel3d", 6)
    assert {name: share["n"] for name, share in scores["relations"].items()} == {"behind (wrt you)": 2, "near": 4}
    assert (scores["pairs"]["n"], scores["pairs"]["unpaired"]) == (3, 0)
    printed = capsys.readouterr().out
    assert "pairs right" in printed
    assert "Accuracy by relations" in printed
    assert "behind (wrt you)" in printed
