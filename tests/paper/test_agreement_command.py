import json

import pytest

from vlm_grpo.labelling import command as label_command
from vlm_grpo.paper import agreement_command
from vlm_grpo.store import jsonl


def run(capsys, *arguments):
    agreement_command.main([*map(str, arguments), "--format", "json"])
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def verdicts(tmp_path):
    """Forty items; repeat 1 differs from repeat 0 on every tenth."""
    path = tmp_path / "verdicts.jsonl"
    with jsonl.Appender(path) as file:
        for repeat in (0, 1):
            for i in range(40):
                aligns = (i % 4 > 0) != (repeat == 1 and i % 10 == 0)
                file.append(
                    [
                        {
                            "row_id": f"r{i}",
                            "model": "grpo",
                            "repeat": repeat,
                            "question": f"question {i}",
                            "reasoning": "because",
                            "answer": "True",
                            "images": [f"{i}.jpg"],
                            "aligns": aligns,
                            "type": None if aligns else "contradiction",
                            "missing": None,
                            "judge": "a",
                            "prompt": "taxonomy",
                        }
                    ]
                )
    return path


def test_the_studys_human_check(capsys):
    shown = run(capsys)
    (check,) = shown["agreements"]
    assert (check["agreeing"], check["n"]) == (34, 50)
    assert check["kappa"]["value"] == pytest.approx(0.346, abs=5e-4)
    assert check["table"] == [[24, 2], [14, 10]]
    (corrected,) = shown["corrected"]
    assert corrected["sample"] == {"tp": 10, "fp": 14, "fn": 2, "tn": 24}
    assert (corrected["misaligned"], corrected["n"]) == (243, 700)


def test_repeats_against_each_other(capsys, verdicts):
    (agreement,) = run(capsys, "--verdicts", verdicts)["agreements"]
    assert (agreement["n"], agreement["agreeing"]) == (40, 36)
    assert agreement["first"] == "a (taxonomy prompt) repeat 0"


def test_judge_against_judge(capsys, verdicts, tmp_path):
    other = tmp_path / "other.jsonl"
    with jsonl.Appender(other) as file:
        file.append([{**row, "judge": "b"} for row in jsonl.read(verdicts)[:39]])
    binary, by_type = run(capsys, "--verdicts", verdicts, "--other", other)["agreements"]
    assert (binary["n"], binary["left_out"], binary["agreeing"]) == (39, 1, 39)
    assert by_type["per_class"]["contradiction"] == 1
    assert by_type["per_class"]["irrelevant"] is None


def test_blind_labels_correct_the_rate(capsys, verdicts, tmp_path, monkeypatch):
    labels = tmp_path / "labels.jsonl"
    arguments = ["--verdicts", str(verdicts), "--out", str(labels), "--annotator", "ann", "--sample", "20"]
    answers = iter(["a", "1", "x", "s", "q"])
    shown = []
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    label_command.main(arguments)
    shown.append(capsys.readouterr().out)
    assert [(r["aligns"], r["type"]) for r in jsonl.read(labels)] == [(True, None), (False, "contradiction")]
    truth = {row["row_id"]: row["aligns"] for row in jsonl.read(verdicts) if row["repeat"] == 0}
    monkeypatch.setattr("builtins.input", lambda prompt: "a")
    label_command.main(arguments)
    shown.append(capsys.readouterr().out)
    assert "2 of 20 labelled" in shown[1]
    assert len(jsonl.read(labels)) == 20
    assert not any(word in text for text in shown for word in ("grpo", "aligns", "False"))
    summary = run(capsys, "--verdicts", verdicts, "--human", labels)
    sample = summary["corrected"][0]["sample"]
    assert sum(sample.values()) == 20
    assert sample["tp"] + sample["fn"] == 1
    assert summary["corrected"][0]["misaligned"] == sum(not aligns for aligns in truth.values())


def test_mistakes_are_told(capsys, verdicts, tmp_path):
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"row_id": "nowhere", "model": "grpo", "annotator": "ann", "aligns": true}\n')
    for arguments, message in (
        (["--human", labels], "give that too"),
        (["--verdicts", verdicts, "--human", labels], "no item in common"),
        (["--verdicts", tmp_path / "absent.jsonl"], "does not exist"),
    ):
        with pytest.raises(SystemExit):
            agreement_command.main([*map(str, arguments)])
        assert message in capsys.readouterr().err
