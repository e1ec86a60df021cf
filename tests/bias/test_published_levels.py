"""The study's levels come out exactly, from the shipped facts and from the captions themselves."""

import gzip
import re
from pathlib import Path

import pytest

from relation_data import relation_cases
from vlm_grpo.bias import facts
from vlm_grpo.bias.cases import Case, true_rows
from vlm_grpo.bias.probe.relation import level_name, relation_probe
from vlm_grpo.bias.text import command as text
from vlm_grpo.bias.text import published
from vlm_grpo.paper.published import PAPER

STUDY = Path(__file__).parents[3] / "shared" / "data" / "vsr_zeroshot"
LEVELS = [
    (0.8, 3137, 1699, 0.62703, "acc_0.627", 110),
    (0.6, 2812, 1583, 0.6899, "acc_0.69", 83),
    (0.05, 1912, 1260, 0.97019, "acc_0.97", 3),
    (0, 1857, 1239, 0.99731, "acc_0.997", 0),
]
needs_captions = pytest.mark.skipif(not STUDY.is_dir(), reason="the captions are not in ../shared/data/vsr_zeroshot")


@pytest.fixture(scope="module")
def shipped() -> dict[str, list[Case]]:
    return facts.read(PAPER / facts.FILE)


@pytest.fixture(scope="module")
def captions() -> dict[str, list[Case]]:
    from vlm_grpo.tasks.vsr.captions import from_folder

    return {
        split: [Case(c.id, c.relation, bool(c.label), c.image) for c in of_split]
        for split, of_split in from_folder(STUDY).captions.items()
    }


@pytest.mark.parametrize("source", ["shipped", pytest.param("captions", marks=[needs_captions, pytest.mark.real_data])])
@pytest.mark.parametrize("keep, rows, true, accuracy, name, copies", LEVELS)
def test_the_levels(request, source, keep, rows, true, accuracy, name, copies):
    splits = request.getfixturevalue(source)
    made = published.undersample(splits["train"], keep=keep, seed=42)
    assert (len(made.cases), true_rows(made.cases), len(made.copies)) == (rows, true, copies)
    assert len({case.id for case in made.cases}) == rows - copies
    probed = relation_probe(made.cases, {}, seed=42)
    assert round(probed["in_sample"]["accuracy"], 5) == accuracy
    assert level_name(probed["in_sample"]["accuracy"]) == name
    assert published.LEVELS[name] == keep


def test_the_shortcut_on_held_out_rows(shipped):
    """As recomputed in the reference, section 7: the planted relation says nothing about the other splits."""
    made = published.undersample(shipped["train"], keep=0, seed=42)
    probed = relation_probe(made.cases, {"validation": shipped["validation"], "test": shipped["test"]}, seed=42)
    assert probed["validation"]["accuracy"] == pytest.approx(0.4941, abs=5e-5)
    assert (probed["test"]["n"], round(probed["test"]["accuracy"], 4)) == (1218, 0.5123)


def test_the_quirks_are_told(shipped):
    quirks = published.undersample(shipped["train"], keep=0.8, seed=42).quirks
    assert len(quirks["tied_relations"]) == 14
    assert set(quirks["tied_relations"]) <= {*quirks["relations_that_lost_a_label"]}
    assert (quirks["duplicates"], quirks["relations_lost"]) == (110, [])
    assert quirks["true_share_after"] == pytest.approx(1699 / 3137)
    everything = published.undersample(shipped["train"], keep=1, seed=42)
    assert (len(everything.cases), everything.quirks["keep_1_dropped_every_minority_row"]) == (1857, True)


def test_ties_depend_on_the_row_that_comes_first():
    cases = relation_cases({"off": (2, 2)})
    first = published.undersample(cases, keep=0.5, seed=0)
    assert [case.label for case in first.cases] == [True, True, True]
    assert first.copies == {2}
    assert not any(case.label for case in published.undersample(cases[::-1], keep=0.5, seed=0).cases)


def test_the_extreme_level_is_the_first_five_false_rows(shipped):
    made = published.extreme(shipped["train"])
    false = [case for case in shipped["train"] if not case.label]
    assert made.cases == false[:5]
    assert relation_probe(made.cases, {}, seed=0) is None


@needs_captions
@pytest.mark.real_data
def test_the_facts_are_those_of_the_captions_and_hold_none_of_them(shipped, captions, tmp_path):
    assert shipped == captions
    for name in ("first", "second"):
        facts.main(["--jsonl", str(STUDY), "--out", str(tmp_path / name)])
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    kept = gzip.decompress((PAPER / facts.FILE).read_bytes())
    assert gzip.decompress((tmp_path / "first").read_bytes()) == kept
    assert b"The " not in kept


def test_the_table_is_checked_against_the_study(tmp_path, capsys):
    text.main(["--table", "--check", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "acc_0.69           2812  1583  0.563       83      0.690     0.68990" in printed
    assert printed.endswith("check: every published level is reproduced\n")
    names = {"levels.json", "levels.md", "label_shares.png", "manifest.json", "run.json"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names


def test_the_probe_is_tabled_with_intervals_on_every_part(capsys):
    text.main(["--table"])
    printed = capsys.readouterr().out
    line = next(line for line in printed.split("Accuracy of the probe")[1].splitlines() if line.startswith("acc_0.69 "))
    assert re.split(" {2,}", line)[1:] == [
        "0.690 (0.673 to 0.707)",
        "0.690 (0.672 to 0.706)",
        "0.494 (0.441 to 0.547)",
        "0.511 (0.483 to 0.539)",
    ]


@pytest.mark.parametrize("word", [["--dry-run"], ["--level", "0.5"], ["--data", "x"]])
def test_words_without_effect_on_the_table(tmp_path, capsys, word):
    with pytest.raises(SystemExit) as left:
        text.main(["--table", "--out", str(tmp_path / "out"), *word])
    assert left.value.code == 2
    assert f"{word[0]} has no effect with --table" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_check_fails_when_a_figure_differs(tmp_path, capsys):
    lines = gzip.decompress((PAPER / facts.FILE).read_bytes()).decode().splitlines(keepends=True)
    (tmp_path / "facts.gz").write_bytes(gzip.compress("".join(lines[:1] + lines[2:]).encode()))
    with pytest.raises(SystemExit) as left:
        text.main(["--table", "--check", "--facts", str(tmp_path / "facts.gz")])
    assert left.value.code == 1
    assert "check: train: rows is 3488, published 3489" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content, message",
    [
        (b"nothing", "damaged"),
        (gzip.compress(b"id\tlabel\n"), "line 1: expected the columns"),
        (gzip.compress("\t".join(facts.COLUMNS).encode() + b"\na\ttrain\ti\ton\tx\ty\t2\n"), "line 2: label '2'"),
        (gzip.compress("\t".join(facts.COLUMNS).encode() + b"\na\ttrain\ti\t\tx\ty\t1\n"), "line 2: expected 7 values"),
        (None, "is missing"),
    ],
    ids=["not gzip", "no header", "unknown label", "empty relation", "no file"],
)
def test_damaged_facts(tmp_path, capsys, content, message):
    if content is not None:
        (tmp_path / "facts.gz").write_bytes(content)
    with pytest.raises(SystemExit) as left:
        text.main(["--table", "--facts", str(tmp_path / "facts.gz")])
    assert left.value.code == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert message in errors[0]
