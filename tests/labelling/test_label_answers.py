"""A data set's questions answered by hand: buttons or a field by the kind of answer, right or not by the task."""

import pytest
from labelled import serving
from PIL import Image
from playwright.sync_api import expect

from chromium import page_of
from vlm_grpo.labelling import command
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl


@pytest.fixture
def data(tmp_path):
    """Two questions with a truth value, one for digits, one for their number, one for a box."""
    Image.new("RGB", (56, 56), "white").save(tmp_path / "a.png")
    solutions = (("vsr", "True"), ("vsr", "False"), ("digits", "[1, 2]"), ("counting", "3"), ("rec", "[1, 2, 30, 40]"))
    rows = [
        Row(
            id=f"{task}-{solution}",
            images=("a.png",),
            problem="What is it?",
            solution=solution,
            task=task,
            meta={"question": "list"},
        )
        for task, solution in solutions
    ]
    for name, chosen in {"truth": rows[:2], "number": rows[3:4], "digits": rows[2:3], "box": rows[4:]}.items():
        dataset.save(tmp_path / name, {"test": chosen}, source={"name": name}, config={}, seconds=0.0)
        Image.new("RGB", (56, 56), "white").save(tmp_path / name / "a.png")
    return tmp_path


def test_truth_has_buttons_and_a_number_a_field(browser, data):
    for name, press, said in (
        ("truth", ["t", "t"], [True, True]),
        ("number", ["4\n"], [4]),
        ("digits", ["[1, 2]\n"], [[1, 2]]),
    ):
        out = data / f"{name}.jsonl"
        words = ("--data", str(data / name), "--out", str(out), "--annotator", "ann")
        with serving(*words) as (address, _), page_of(browser) as page:
            page.goto(address)
            for number, keys in enumerate(press):
                expect(page.locator("#count")).to_contain_text(f"{number} of")
                page.keyboard.type(keys)
            expect(page.get_by_role("region", name="right answers")).to_be_visible()
        assert [record["said"] for record in jsonl.read(out)] == said
        assert sum(record["right"] for record in jsonl.read(out)) == (0 if name == "number" else 1)


def test_what_is_no_answer_is_asked_again(data, capsys, monkeypatch):
    said = iter(["three", "3"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(said))
    command.main(["--data", str(data / "number"), "--out", str(data / "out.jsonl"), "--annotator", "a"])
    assert "'three' is not a whole number" in capsys.readouterr().out
    assert [record["right"] for record in jsonl.read(data / "out.jsonl")] == [True]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--data", "{}/box", "--annotator", "a"], "which is not labelled by hand here"),
        (["--data", "{}/truth", "--images", "x", "--annotator", "a"], "--images has no effect with --data"),
        (["--annotator", "a"], "give --verdicts FILE"),
        (["--data", "{}/truth"], "--annotator is needed in the terminal"),
    ],
)
def test_mistakes_are_one_line(data, capsys, words, message):
    with pytest.raises(SystemExit) as exit:
        command.main([word.format(data) for word in words] + ["--out", str(data / "out.jsonl")])
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
