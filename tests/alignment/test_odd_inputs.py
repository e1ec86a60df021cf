"""Verdicts, labels and responses that others wrote: every row is counted, or one line says which is not and why."""

import json
from pathlib import Path

import pytest

from vlm_grpo.alignment.checks import check
from vlm_grpo.alignment.items import JudgedItem, JudgedSplit
from vlm_grpo.errors import UserError
from vlm_grpo.labelling import command as label_command
from vlm_grpo.paper import agreement_command, tables_command
from vlm_grpo.store import jsonl

JUNK = [None, True, -1, 1.5, "", "  ", [], ["a"], {}, {"a": [1]}, "\ud83d", "$x$ |`<b>\x1b[31m\n=1", 10**30, "٣"]


def ours(i: object, model: str, **changes: object) -> dict:
    return {
        "row_id": str(i),
        "model": model,
        "repeat": 0,
        "label": "True",
        "answer": "True",
        "aligns": True,
        "type": None,
        "missing": None,
        "judge": "j",
        "prompt": "taxonomy",
        "question": "q",
        "reasoning": "r",
        "images": [],
        **changes,
    }


def original(i: object, model: str, **changes: object) -> dict:
    return {
        "index": i,
        "model": model,
        "question": "q",
        "true_label": "True",
        "reasoning": "café",
        "final_ans": "True",
        "aligns": True,
        "type": None,
        "why": "w",
        **changes,
    }


LAYOUTS = {"ours": ours, "original": original}


def write(path: Path, rows: list[dict]) -> Path:
    """A JSON list in the original's layout, JSONL in ours."""
    text = json.dumps(rows) if "index" in rows[0] else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text)
    return path


def pairs(make, ids) -> list[dict]:
    return [make(i, model) for i in ids for model in ("base", "grpo")]


def run(capsys, main, *words: object) -> str:
    """What `main` prints; a mistake's one line where it leaves with exit code 2. Anything else is a failure."""
    code = None
    try:
        main([*map(str, words)])
    except SystemExit as left:
        code = left.code
    if code is not None:
        assert code == 2
        errors = capsys.readouterr().err
        assert errors.startswith("error: ")
        assert errors.count("\n") == 1
        return errors
    shown = capsys.readouterr().out
    shown.encode()
    assert "nan" not in shown.casefold()
    assert "infinity" not in shown.casefold()
    return shown


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("field", ["id", *(name for name in ours(0, "m") if name != "row_id")])
def test_any_value_in_any_field_is_counted_or_told(tmp_path, capsys, layout, field):
    make = LAYOUTS[layout]
    name = "row_id" if field == "id" else field
    if layout == "original":
        name = {"row_id": "index", "label": "true_label", "answer": "final_ans"}.get(name, name)
    for junk in JUNK:
        rows = pairs(make, range(4))
        rows[3][name] = junk
        verdicts = write(tmp_path / "v", rows)
        good = write(tmp_path / "good", pairs(make, range(4)))
        keys = [{"row_id": r.get("row_id", r.get("index")), "annotator": "a", **r} for r in rows]
        labels = write(tmp_path / "labels", [{k: v for k, v in row.items() if k != "index"} for row in keys])
        run(
            capsys,
            tables_command.main,
            "--verdicts",
            verdicts,
            "--resamples",
            100,
            "--format",
            "json",
            "--min-coverage",
            0,
        )
        run(capsys, agreement_command.main, "--verdicts", verdicts, "--other", good, "--format", "json")
        run(capsys, agreement_command.main, "--verdicts", good, "--human", labels, "--format", "json")


@pytest.mark.parametrize(
    "layout, change, message",
    [
        ("ours", {"row_id": None}, "line 2: row_id is None, expected a text or a whole number"),
        ("ours", {"repeat": "0"}, "line 2: repeat is '0', expected a whole number from 0"),
        ("ours", {"model": ["a"]}, "line 2: model is ['a'], expected a name"),
        ("ours", {"type": {}}, "line 2: type is {}, expected a text or null"),
        ("ours", {"missing": 3}, "line 2: missing is 3"),
        ("ours", {"label": None}, "line 2: label is None"),
        ("original", {"index": 1.0}, "row 1: index is 1.0"),
        ("original", {"final_ans": ["True"]}, "row 1: final_ans is ['True']"),
        ("original", {"aligns": "true"}, "row 1: aligns is 'true'"),
    ],
)
def test_the_field_and_the_row_are_named(tmp_path, capsys, layout, change, message):
    rows = pairs(LAYOUTS[layout], range(2))
    rows[1] |= change
    verdicts = write(tmp_path / "v", rows)
    assert message in run(capsys, tables_command.main, "--verdicts", verdicts)
    assert message.split(" is ")[0] in run(capsys, agreement_command.main, "--verdicts", verdicts, "--other", verdicts)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "ids",
    [(139, 391895), (393225001, 393225002), (1, 2, 3), (7, 8, 9), ("000139", "391895"), (10**18, 10**19), ("٣", "٤")],
    ids=["COCO", "VQAv2", "from 1", "from 7", "file names", "18 digits", "other digits"],
)
def test_numbers_that_are_no_positions_have_no_gaps(tmp_path, capsys, layout, ids):
    verdicts = write(tmp_path / "v", pairs(LAYOUTS[layout], ids))
    shown = json.loads(run(capsys, tables_command.main, "--verdicts", verdicts, "--resamples", 100, "--format", "json"))
    assert [row["total"] for row in shown] == [len(ids)] * 2
    assert not any("missing" in note for row in shown for note in row["notes"])


def judged(ids, size=None) -> JudgedSplit:
    items = tuple(JudgedItem(str(i), "m", "True", "True", True, "strict", True, None, f"row {i}") for i in ids)
    return JudgedSplit("s", "j", ("m",), items, size)


@pytest.mark.parametrize(
    "ids, size, message",
    [
        ((0, 1, 3), None, r"item 2 of m is missing \(1 in all\)"),
        ((0, 2, 3), 4, r"item 1 of m is missing \(1 in all\)"),
        ((1, 2, 4), None, r"item 3 of m is missing \(1 in all\)"),
        ([i for i in range(350) if i % 10], None, r"item 10 of m is missing \(34 in all\)"),
        ((), None, "no item of m"),
    ],
)
def test_gaps_in_positions_are_still_found(ids, size, message):
    with pytest.raises(UserError, match=message):
        check(judged(ids, size))


@pytest.mark.parametrize("ids, size", [((5, 9), 2), ((0, 7), 2), (range(4), 4), ((0, 1, 99), 3)])
def test_as_many_items_as_the_split_has_are_all_of_them(ids, size):
    assert check(judged(ids, size)).notes == ()


@pytest.mark.parametrize(
    "words",
    [
        "--repeat -1",
        "--repeat x",
        "--min-coverage 2",
        "--min-coverage nan",
        "--split-size 0",
        "--split-size 1.5",
        "--resamples 0",
        "--resamples 1",
        "--seed -1",
        "--seed 99999999999",
        "--verdicts .",
        "--base .",
    ],
)
def test_options_out_of_range_are_one_line(tmp_path, capsys, words):
    verdicts = write(tmp_path / "v", pairs(ours, range(4)))
    message = run(capsys, tables_command.main, "--verdicts", verdicts, *words.split())
    assert message.startswith("error: ")
    if words.split()[1] != ".":
        assert words.split()[0] in message


@pytest.mark.parametrize("words", ["--sample 0", "--sample -3", "--seed -1", "--annotator="])
def test_options_of_labelling_are_one_line(tmp_path, capsys, words):
    verdicts = write(tmp_path / "v", pairs(ours, range(4)))
    words = ["--annotator", "ann", *words.split()]
    assert run(capsys, label_command.main, "--verdicts", verdicts, "--out", tmp_path / "l", *words).startswith(
        "error: "
    )


def test_five_models_and_no_verdict_at_all(tmp_path, capsys):
    rows = [ours(i, model, aligns=None, missing="refusal") for i in range(4) for model in "abcde"]
    verdicts = write(tmp_path / "v", rows)
    words = ["--verdicts", verdicts, "--min-coverage", 0, "--resamples", 100, "--out", tmp_path / "out"]
    assert "coverage of a: 0.0%" in run(capsys, tables_command.main, *words)
    assert json.loads((tmp_path / "out" / "alignment.json").read_text())[0]["misaligned_rate"] is None


def test_the_check_of_a_split_without_verdicts_is_a_difference(tmp_path, capsys):
    rows = [original(i, model, aligns=None, missing="refusal") for i in range(350) for model in ("base", "grpo")]
    verdicts = write(tmp_path / "v", rows)
    with pytest.raises(SystemExit) as left:
        tables_command.main(
            ["--verdicts", str(verdicts), "--split", "test", "--check", "--min-coverage", "0", "--format", "json"]
        )
    assert left.value.code == 1
    assert "misaligned differs by -41" in capsys.readouterr().err


def test_a_concordant_pair_has_no_bootstrap_interval(tmp_path, capsys):
    verdicts = write(tmp_path / "v", pairs(ours, range(4)))
    shown = json.loads(run(capsys, tables_command.main, "--verdicts", verdicts, "--format", "json"))
    pair = shown[1]["paired"][0]
    assert (pair["difference"], pair["ci_low"], pair["ci_high"], pair["p_mcnemar"]) == (0, None, None, 1)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"text": None}, "line 2: text is None"),
        ({"id": None}, "line 2: id is None"),
        ({"solution": 1}, "line 2: solution is 1"),
        ({"id": "0"}, "line 2: row '0' occurs twice"),
    ],
)
def test_responses_of_wrong_types_are_named(tmp_path, capsys, change, message):
    verdicts = write(tmp_path / "v", pairs(ours, range(2)))
    rows = [{"id": str(i), "solution": "True", "text": "<answer> True </answer>"} for i in range(2)]
    rows[1] |= change
    assert message in run(capsys, tables_command.main, "--verdicts", verdicts, "--grpo", write(tmp_path / "r", rows))


def test_labels_that_a_person_edited_are_kept(tmp_path, capsys, monkeypatch):
    """An editor that saves no last newline does not cost a label."""
    verdicts = write(tmp_path / "v", pairs(ours, range(4)))
    labels = write(
        tmp_path / "l", [{"row_id": "0", "model": "base", "annotator": "ann", "aligns": True, "type": None}] * 2
    )
    labels.write_bytes(labels.read_bytes().rstrip())
    monkeypatch.setattr("builtins.input", lambda _: "a")
    words = ["--verdicts", verdicts, "--out", labels, "--annotator", "ann"]
    assert "1 of 8 labelled" in run(capsys, label_command.main, *words)
    assert len(jsonl.read(labels)) == 2 + 7
    labels.write_bytes(labels.read_bytes() + b'{"row_id": ')
    assert "l line 10: not JSON" in run(capsys, label_command.main, *words)
