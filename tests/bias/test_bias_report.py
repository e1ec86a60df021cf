"""The bias report: groups, gap, paired tests, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from refusals import refusal
from relation_data import relation_cases, relation_row, save_relation_data
from tiny_data import save_tiny_data
from tiny_generations import save_arm
from vlm_grpo.bias.marks import AGREEING, NEUTRAL, OPPOSING, marks
from vlm_grpo.bias.report.arm_names import ArmName, read_name
from vlm_grpo.bias.report.command import main
from vlm_grpo.bias.report.command import report as report_on
from vlm_grpo.bias.text import command as text
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.statistics.bootstrap import paired_bootstrap
from vlm_grpo.statistics.intervals import newcombe, newcombe_paired, wilson
from vlm_grpo.statistics.paired import holm, mcnemar_exact
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.answers.truth import TRUTH

HELD_OUT = {"on": (20, 20), "under": (20, 20), "between": (3, 3)}


def answer_all(folder: Path, data: Path, answer, *, split: str = "test") -> Path:
    """An evaluation of `split` that answers each row as `answer(row, truth, number)` says."""
    rows = dataset.load(data, split)
    answers = {r.id: answer(r, TRUTH.solution(r.solution, where=r.id), n) for n, r in enumerate(rows)}
    return save_arm(folder, data, answers, split=split)


def follow(row, truth, number):
    """The shortcut, and every tenth row unreadable."""
    says = row.meta.get("shortcut")
    return None if number % 10 == 9 else truth if says is None else says


def look(row, truth, number):
    """Right in four of five, whatever the shortcut says."""
    return truth if number % 5 else not truth


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """An original data set, biased ones of strength 0 and 1, and arms trained on them."""
    root = tmp_path_factory.mktemp("world")
    held_out = {
        split: [relation_row(c) for c in relation_cases(HELD_OUT, split=split)] for split in ("validation", "test")
    }
    train = [relation_row(case) for case in relation_cases({"on": (20, 20), "under": (20, 20)})]
    save_relation_data(root / "data", train=train, **held_out)
    for level in ("0", "1"):
        text.main(["--data", str(root / "data"), "--level", level, "--out", str(root / level)])
    answer_all(root / "base", root / "data", lambda row, truth, number: number % 2 == 0)
    for level in ("0", "1"):
        answer_all(root / f"grpo{level}", root / level, look)
    answer_all(root / "sft0", root / "0", look)
    answer_all(root / "sft1", root / "1", follow)
    return root


def words(world: Path, out: Path, *more: str) -> list[str]:
    arms = [f"--arm={m}:{level}@42={world / m}{level}" for m in ("sft", "grpo") for level in ("0", "1")]
    return [*arms, "--out", str(out), *more]


@pytest.fixture(scope="module")
def report(world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("report") / "out"
    main([*words(world, out), f"--arm=base={world / 'base'}", "--groups-from", str(world / "1")])
    return out


@pytest.fixture(scope="module")
def numbers(report):
    return json.loads((report / "bias.json").read_text())


@pytest.mark.parametrize("level, name", [("0.0", "0"), ("0.90", "0.9"), (".9", "0.9"), ("1.", "1"), ("-0", "0")])
def test_levels_go_by_value(level, name):
    assert read_name(f"sft:{level}@007") == ArmName(None, "sft", name, 7)
    assert str(read_name(f"qwen/sft:{level}")) == f"qwen/sft:{name}"


def test_levels_that_are_words_stay(numbers):
    assert [read_name(f"sft:{word}").level for word in ("acc_0.690", "published", "nan", "1e")] == [
        "acc_0.690",
        "published",
        "nan",
        "1e",
    ]


def test_a_level_written_otherwise_is_compared_with_its_kind(world, tmp_path, numbers):
    arms = [
        f"--arm=sft:0.0@42={world / 'sft0'}",
        f"--arm=grpo:0@42={world / 'grpo0'}",
        f"--arm=grpo:1.0@42={world / 'grpo1'}",
    ]
    main([*arms, "--reference", "0.00", "--groups-from", str(world / "1"), "--out", str(tmp_path / "out")])
    report_written = json.loads((tmp_path / "out" / "bias.json").read_text())
    assert list(report_written["arms"]) == ["sft:0@42", "grpo:0@42", "grpo:1@42"]
    assert report_written["reference"] == "0"
    assert [(pair["first"], pair["second"]) for pair in report_written["pairs"]] == [("sft:0@42", "grpo:0@42")]
    assert report_written["changes"] == [change for change in numbers["changes"] if change["first"] == "grpo:0@42"]


def test_one_level_given_as_two_is_refused(world, tmp_path):
    arms = {"sft:0": [world / "sft0"], "sft:0.0": [world / "grpo0"]}
    with pytest.raises(UserError, match=r"have one name; levels go by value"):
        report_on(tmp_path / "out", arms=arms, title="t")


def test_groups_and_gap(numbers, world):
    assert list(numbers["arms"]) == ["sft:0@42", "sft:1@42", "grpo:0@42", "grpo:1@42", "base"]
    assert numbers["groups"] == {AGREEING: 40, OPPOSING: 40, NEUTRAL: 6}
    sft = numbers["arms"]["sft:1@42"]
    assert (sft["method"], sft["level"], sft["seed"], sft["family"]) == ("sft", "1", 42, None)
    rows = dataset.load(world / "1", "test")
    readable = {
        group: sum(r.meta["bias_group"] == group for n, r in enumerate(rows) if n % 10 != 9) for group in sft["groups"]
    }
    agreeing, opposing = sft["groups"][AGREEING], sft["groups"][OPPOSING]
    assert (agreeing["correct"], opposing["correct"]) == (readable[AGREEING], 0)
    assert agreeing["parsed"] == readable[AGREEING]
    assert (agreeing["ci_low"], agreeing["ci_high"]) == pytest.approx(wilson(readable[AGREEING], 40))
    assert sft["gap"]["value"] == pytest.approx(readable[AGREEING] / 40)
    assert (sft["gap"]["ci_low"], sft["gap"]["ci_high"]) == pytest.approx(newcombe((0, 40), (readable[AGREEING], 40)))
    assert sft["follows_shortcut"]["k"] == readable[AGREEING] + readable[OPPOSING]
    assert (sft["overall"]["n"], sft["overall"]["correct"]) == (86, readable[AGREEING] + readable[NEUTRAL])


def test_how_often_true_is_said_beside_the_shortcut_and_the_label(numbers, world):
    overall = numbers["arms"]["sft:1@42"]["overall"]
    rows = dataset.load(world / "1", "test")
    says = [row.meta["shortcut"] for row in rows]
    assert overall["shortcut_true"]["k"] == says.count(True)
    assert overall["shortcut_true"]["n"] == 80
    assert overall["label_true"]["rate"] == 0.5
    assert numbers["arms"]["base"]["overall"]["predicted_true"]["k"] == 43
    suggested = numbers["arms"]["sft:1@42"]["suggested"]
    assert suggested["predicted_true"]["n"] == suggested["shortcut_true"]["n"] == 80, "on the same rows"
    said = [says for number, says in enumerate(says) if number % 10 != 9]
    assert suggested["predicted_true"]["k"] == said.count(True)


def test_who_still_reasons_stands_beside_the_answers(world, tmp_path):
    rows = dataset.load(world / "1", "test")
    bare = save_arm(
        tmp_path / "bare", world / "1", {row.id: True for row in rows}, split="test", text="<answer> True </answer>"
    )
    arms = [f"--arm=grpo:1={world / 'grpo1'}", f"--arm=grpo:1@7={bare}"]
    main([*arms, "--out", str(tmp_path / "out")])
    shown = (tmp_path / "out" / "bias.md").read_text()
    answers = shown[shown.index("Answers") :].split("note")[0]
    assert re.findall(r"\| (grpo:1\S*) .* (\d\.\d{3}) \|$", answers, re.M) == [
        ("grpo:1", "1.000"),
        ("grpo:1@7", "0.000"),
    ]


def test_methods_are_compared_level_by_level(numbers):
    assert [(pair["first"], pair["second"], pair["level"]) for pair in numbers["pairs"]] == [
        ("sft:0@42", "grpo:0@42", "0"),
        ("sft:1@42", "grpo:1@42", "1"),
    ]
    same, strong = numbers["pairs"]
    assert (same["all"]["b"], same["all"]["c"], same["all"]["mcnemar_p"]) == (0, 0, 1.0)
    grpo = numbers["arms"]["grpo:1@42"]
    opposing = strong[OPPOSING]
    assert (opposing["n"], opposing["b"], opposing["c"]) == (40, 0, grpo["groups"][OPPOSING]["correct"])
    assert opposing["mcnemar_p"] == mcnemar_exact(0, opposing["c"])
    for rows in ("all", OPPOSING, AGREEING, NEUTRAL):
        adjusted = holm([same[rows]["mcnemar_p"], strong[rows]["mcnemar_p"]])
        assert [same[rows]["holm_p"], strong[rows]["holm_p"]] == adjusted
        assert same[rows]["holm_tests"] == 2
    gaps = [numbers["arms"][name]["gap"]["value"] for name in ("sft:1@42", "grpo:1@42")]
    difference = strong["gap_difference"]
    assert difference["value"] == pytest.approx(gaps[1] - gaps[0])
    assert difference["ci_low"] < difference["value"] < difference["ci_high"] < 0


def test_levels_are_compared_with_the_unbiased_one(numbers, world, tmp_path):
    assert [(c["first"], c["second"]) for c in numbers["changes"]] == [
        ("sft:0@42", "sft:1@42"),
        ("grpo:0@42", "grpo:1@42"),
    ]
    sft, grpo = (change["gap_change"] for change in numbers["changes"])
    assert sft["ci_low"] > 0
    assert grpo["value"] == 0
    assert -0.15 < grpo["ci_low"] < -0.05 < 0.05 < grpo["ci_high"] < 0.15, "rows that do not change leave doubt, too"
    main(words(world, tmp_path / "out", "--reference", "1"))
    again = json.loads((tmp_path / "out" / "bias.json").read_text())
    assert again["changes"][0]["gap_change"]["value"] == pytest.approx(-sft["value"])


def test_the_report_is_complete_and_repeatable(report, world, tmp_path, capsys):
    names = {"bias.json", "bias.md", "bias.png"}
    assert {file.name for file in report.iterdir()} == names | {"manifest.json", "run.json"}
    assert manifest.read(report, kind="bias report")["counts"] == {"rows": 86, "arms": 5}
    for _ in range(2):
        main(words(world, tmp_path / "out", "--json", str(tmp_path / "numbers.json"), "--title", "A title"))
    assert (tmp_path / "numbers.json").read_bytes() == (tmp_path / "out" / "bias.json").read_bytes()
    assert "# A title" in (tmp_path / "out" / "bias.md").read_text()
    assert "86 rows, all of them (40 agreeing, 40 opposing, 6 neutral)" in capsys.readouterr().out
    with Image.open(report / "bias.png") as picture:
        assert min(picture.size) > 300


def test_seeds_are_told_apart_and_never_pooled(world, tmp_path):
    other = answer_all(tmp_path / "sft7", world / "1", look)
    main(words(world, tmp_path / "out", f"--arm=sft:1@7={other}"))
    numbers = json.loads((tmp_path / "out" / "bias.json").read_text())
    (spread,) = numbers["spread"]
    gaps = [numbers["arms"][name]["gap"]["value"] for name in ("sft:1@42", "sft:1@7")]
    assert (spread["method"], spread["level"], spread["seeds"]) == ("sft", "1", 2)
    assert spread["gap"]["mean"] == pytest.approx(sum(gaps) / 2)
    assert len(numbers["pairs"]) == 2, "seed 7 of SFT has no partner"


def cued(root: Path) -> Path:
    """A data set as a visual cue makes it: one question with the cue on either side."""
    cases = relation_cases({"on": (10, 10)}, split="row")
    sides = {"test": None, "test_cued": True, "test_counter": False}
    splits = {
        name: [relation_row(c, **marks(c.label, None if side is None else c.label is side)) for c in cases]
        for name, side in sides.items()
    }
    return save_tiny_data(root, **splits)


def test_a_visual_cue_asks_the_same_rows_twice(tmp_path):
    data = cued(tmp_path / "data")
    for method, answer in (("sft", follow), ("grpo", look)):
        for split in ("test_cued", "test_counter"):
            answer_all(tmp_path / method / split, data, answer, split=split)
    arms = [f"--arm={m}:tint={tmp_path / m / s}" for m in ("sft", "grpo") for s in ("test_cued", "test_counter")]
    main([*arms, "--out", str(tmp_path / "out")])
    numbers = json.loads((tmp_path / "out" / "bias.json").read_text())
    sft, grpo = numbers["arms"].values()
    assert sft["overall"] is sft["suggested"] is None
    assert numbers["pairs"][0]["all"] is None
    agreeing = [number % 10 != 9 for number in range(20)]
    assert sft["gap"]["value"] == pytest.approx(0.9)
    assert [sft["gap"]["ci_low"], sft["gap"]["ci_high"]] == list(newcombe_paired(0, 0, 18, 2))
    assert "paired" in sft["gap"]["interval"]
    assert grpo["gap"]["value"] == 0
    assert grpo["gap"]["ci_low"] == pytest.approx(-grpo["gap"]["ci_high"])
    change = numbers["pairs"][0]["gap_difference"]
    changes = [-right for right in agreeing]
    assert [change["ci_low"], change["ci_high"]] == list(paired_bootstrap([0] * 20, changes, seed=0))
    assert numbers["pairs"][0][OPPOSING]["c"] == 16


def test_a_visual_cue_is_scored_overall_on_the_rows_without_it(tmp_path, capsys):
    data = cued(tmp_path / "data")
    arms = []
    for level in ("a", "b"):
        for method, answer in (("sft", follow), ("grpo", look)):
            for split in ("test", "test_cued", "test_counter"):
                folder = answer_all(tmp_path / level / method / split, data, answer, split=split)
                arms.append(f"--arm={method}:{level}={folder}")
    main([*arms, "--out", str(tmp_path / "out")])
    numbers = json.loads((tmp_path / "out" / "bias.json").read_text())
    sft = numbers["arms"]["sft:a"]
    assert (sft["overall"]["n"], sft["overall"]["correct"]) == (20, 18)
    assert sft["overall"] == sft["groups"][NEUTRAL]
    assert sft["gap"]["value"] == pytest.approx(0.9)
    for pair in numbers["pairs"]:
        assert (pair["all"]["n"], pair["all"]["b"], pair["all"]["c"]) == (20, 4, 2)
        assert pair["all"]["holm_p"] == min(1, 2 * mcnemar_exact(4, 2))
    assert "note: all rows: each once, without the cue" in capsys.readouterr().out


def refused(capsys, *arguments: str) -> str:
    return refusal(capsys, main, arguments)


def test_rows_without_groups(world, tmp_path, capsys):
    out = ("--out", str(tmp_path / "out"))
    base = f"--arm=base={world / 'base'}"
    assert "has no column 'bias_group'" in refused(capsys, base, *out)
    assert "has no column 'bias_group'" in refused(capsys, base, *out, "--groups-from", str(world / "data"))
    assert not (tmp_path / "out").exists()


def test_answers_of_another_task(tmp_path, capsys):
    counted = {"task": "counting", "solution": "3"}
    rows = [relation_row(case).model_copy(update=counted) for case in relation_cases(HELD_OUT, split="test")]
    data = save_tiny_data(tmp_path / "data", test=rows)
    arm = save_arm(tmp_path / "arm", data, dict.fromkeys((row.id for row in rows), None), split="test")
    message = refused(capsys, f"--arm=base={arm}", "--out", str(tmp_path / "out"))
    assert "a bias needs answers that are True or False; the task counting asks for a whole number" in message


def test_groups_of_other_rows(world, tmp_path, capsys):
    out = ("--out", str(tmp_path / "out"))
    cases = relation_cases(HELD_OUT, split="test")
    fewer = save_tiny_data(tmp_path / "fewer", test=[relation_row(c, **marks(c.label, True)) for c in cases[1:]])
    message = refused(capsys, f"--arm=base={world / 'base'}", *out, "--groups-from", str(fewer))
    assert "has no row 'test-000'" in message
    turned = [relation_row(c).model_copy(update={"problem": "Is it?"}) for c in cases]
    other = save_tiny_data(tmp_path / "other", test=turned)
    message = refused(capsys, f"--arm=base={world / 'base'}", *out, "--groups-from", str(other))
    assert "asks another question" in message


def test_arms_that_cannot_be_compared(world, tmp_path, capsys):
    out = ("--out", str(tmp_path / "out"))
    sft = f"--arm=sft:1={world / 'sft1'}"
    elsewhere = answer_all(tmp_path / "validation", world / "1", look, split="validation")
    assert "answered different rows (172" in refused(capsys, sft, f"--arm=grpo:1={elsewhere}", *out)
    rows = [
        row.model_copy(update={"meta": {**row.meta, **marks("True" in row.solution, True)}})
        for row in dataset.load(world / "1", "test")
    ]
    otherwise = answer_all(tmp_path / "otherwise", save_tiny_data(tmp_path / "data", test=rows), look)
    assert "were built with different shortcuts" in refused(capsys, sft, f"--arm=grpo:1={otherwise}", *out)
    assert "is the evaluation of sft:1 already" in refused(capsys, sft, f"--arm=grpo:1={world / 'sft1'}", *out)
    twice = shutil.copytree(world / "sft1", tmp_path / "twice")
    assert "is in two of its evaluations" in refused(capsys, sft, f"--arm=sft:1={twice}", *out)
    counter = answer_all(tmp_path / "counter", world / "1", look, split="test_counter")
    assert "two of its evaluations, opposing in both" in refused(capsys, sft, f"--arm=sft:1={counter}", *out)


def test_marks_that_contradict_the_label(world, tmp_path, capsys):
    rows = dataset.load(world / "1", "test")
    wrong = [row.model_copy(update={"meta": {**row.meta, "bias_group": NEUTRAL}}) for row in rows]
    arm = answer_all(tmp_path / "arm", save_tiny_data(tmp_path / "data", test=wrong), look)
    assert "is marked 'neutral', its label and shortcut say" in refused(
        capsys, f"--arm=a={arm}", "--out", str(tmp_path / "o")
    )


def test_a_row_answered_twice(world, tmp_path, capsys):
    arm = shutil.copytree(world / "sft1", tmp_path / "arm")
    with jsonl.Appender(arm / "generations.jsonl") as file:
        file.append(jsonl.read(arm / "generations.jsonl")[:1])
    assert "occurs twice" in refused(capsys, f"--arm=sft:1={arm}", "--out", str(tmp_path / "out"))


@pytest.mark.parametrize("word", ["sft", "=x", "sft:=x", "a b=x", "sft:1@x=y"])
def test_names_that_cannot_be(tmp_path, capsys, word):
    assert "expected" in refused(capsys, f"--arm={word}", "--out", str(tmp_path / "out"))


@pytest.mark.parametrize(
    "name, parts",
    [
        ("base", (None, "base", None, None)),
        ("sft:0.9@42", (None, "sft", "0.9", 42)),
        ("qwen/grpo:acc_0.69", ("qwen", "grpo", "acc_0.69", None)),
    ],
)
def test_names(name, parts):
    assert read_name(name) == ArmName(*parts)
    assert str(read_name(name)) == name
