"""`counting`: the published figures from the real completions, and a data set from other people's records."""

import json
from pathlib import Path

import pytest
from PIL import Image

from vlm_grpo.evaluation import score
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.counting import build

SHARED = Path(__file__).parents[4] / "shared" / "data"
real = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the real completions are not in {SHARED}")
BEFORE, AFTER = (SHARED / "counting" / f"completions_qwen2vl_2b_instruct_{name}.json" for name in ("legacy", "r1_200"))


@real
def test_the_published_accuracies_and_the_reasoning_that_is_kept(tmp_path, capsys):
    score.main(["--task", "counting", str(BEFORE), str(AFTER), "--out", str(tmp_path / "scores.json")])
    scores = json.loads((tmp_path / "scores.json").read_text())
    before, after = (scores["files"][str(path)] for path in (BEFORE, AFTER))
    assert (before["n"], before["correct"], before["accuracy"]) == (200, 96, 0.48)
    assert (after["n"], after["correct"], after["accuracy"]) == (200, 162, 0.81)
    assert (before["reasoned"], after["reasoned"]) == (200, 12)
    pair = scores["pairs"][str(AFTER)]
    assert pair["c"] - pair["b"] == 66
    assert pair["mcnemar_p"] < 1e-12
    printed = capsys.readouterr().out
    assert "reasons" in printed
    assert "0.060" in printed


@real
def test_the_anchors_own_answers_are_read_alike():
    for path in (BEFORE, AFTER):
        _, outcomes = score.score_file(path, task="counting", rule="strict")
        records = json.loads(path.read_text())["results"]
        for outcome, record in zip(outcomes.values(), records, strict=True):
            assert outcome.right == (record["extracted_answer"] == record["ground_truth"])


@real
def test_a_data_set_from_the_real_records_and_pictures(tmp_path):
    records, images = SHARED / "superclevr" / "counting.jsonl", SHARED / "superclevr" / "images"
    build.main(["--out", str(tmp_path / "out"), "--images", str(images), "--jsonl", f"test={records}"])
    rows = dataset.load(tmp_path / "out", "test")
    assert len(rows) == 10
    assert (rows[0].problem, rows[0].solution) == ("How many different items are there in the image?", "7")
    assert all((tmp_path / "out" / row.images[0]).is_file() for row in rows)


def records_file(folder, *records):
    (folder / "images").mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 30)).save(folder / "images" / name)
    path = folder / "records.jsonl"
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records))
    return path


def command(folder, path, *more):
    return ["--out", str(folder / "out"), "--images", str(folder / "images"), "--jsonl", f"test={path}", *more]


GOOD = {"image_path": "./somewhere/a.png", "question": "How many?", "ground_truth": 3, "scene": "s1"}


def test_columns_of_either_spelling_are_read_and_others_kept(tmp_path):
    other = {"image": "b.png", "problem": "How many?", "solution": "<answer> 2 </answer>", "scene": "s2"}
    build.main(command(tmp_path, records_file(tmp_path, GOOD, other)))
    rows = dataset.load(tmp_path / "out", "test")
    assert [(row.images, row.solution, row.meta) for row in rows] == [
        (("images/a.png",), "3", {"scene": "s1"}),
        (("images/b.png",), "<answer> 2 </answer>", {"scene": "s2"}),
    ]


def test_a_missing_picture_is_told_and_can_be_allowed(tmp_path, capsys):
    path = records_file(tmp_path, GOOD, GOOD | {"image_path": "c.png"})
    with pytest.raises(SystemExit) as left:
        build.main(command(tmp_path, path))
    assert left.value.code == 2
    assert "1 of 2 records cannot be used (no picture c.png" in capsys.readouterr().err
    build.main(command(tmp_path, path, "--max-dropped", "0.5"))
    assert manifest.read(tmp_path / "out")["counts"] == {"test": 1}
    assert "no picture c.png" in (tmp_path / "out" / "dropped.jsonl").read_text()


@pytest.mark.parametrize(
    "record, message",
    [
        ({"question": "How many?", "ground_truth": 3}, "line 2: column 'image' or 'image_path' is missing"),
        (GOOD | {"ground_truth": None}, "line 2: column 'solution' or 'ground_truth' or 'answer' is missing"),
        (GOOD | {"ground_truth": 2.5}, "line 2: the answer 2.5 is no whole number"),
        (GOOD | {"ground_truth": True}, "line 2: the answer True is no whole number"),
        (GOOD | {"ground_truth": "many"}, "solution 'many' is no number"),
        (GOOD | {"image_path": 7}, "line 2: the picture 7 is no file name"),
        (GOOD | {"question": ""}, "line 2: column 'problem'"),
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: expected a JSON object"),
    ],
)
def test_a_bad_record_is_one_line(tmp_path, capsys, record, message):
    with pytest.raises(SystemExit) as left:
        build.main(command(tmp_path, records_file(tmp_path, GOOD, record)))
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "is empty"),
        ("3", "expected a list of records"),
        ("[]", "holds no completion"),
        ('[{"text": "a"}]', "record 1: none of the keys solution, ground_truth, answer"),
        ('[{"solution": 3}]', "record 1: none of the keys text, model_output, completion"),
        ('[{"text": 5, "solution": 3}]', "record 1: the completion is int"),
        ('[{"text": "a", "solution": "b"}]', "record 1: solution 'b' is no number"),
        ('{"id": 1, "text": "a", "solution": 1}\n{"id": 1, "text": "b", "solution": 1}', "id '1' occurs twice"),
    ],
)
def test_a_bad_file_of_completions_is_one_line(tmp_path, capsys, content, message):
    (tmp_path / "said.json").write_text(content)
    with pytest.raises(SystemExit) as left:
        score.main(["--task", "counting", str(tmp_path / "said.json")])
    assert left.value.code == 2
    assert message in capsys.readouterr().err
