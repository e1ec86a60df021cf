"""Text-biased data sets on disk: what is in them, that they stay the same, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from refusals import refusal
from relation_data import HELD_OUT, TRAIN, relation_cases, relation_row, save_relation_data
from vlm_grpo.bias.cases import Case
from vlm_grpo.bias.marks import AGREEING, NEUTRAL, OPPOSING
from vlm_grpo.bias.text import command as text
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import check_pictures
from vlm_grpo.store import manifest
from vlm_grpo.tasks.answers.truth import TRUTH


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return save_relation_data(tmp_path_factory.mktemp("source") / "data")


def build(source: Path, out: Path, *words: str) -> Path:
    text.main(["--data", str(source), "--out", str(out), *words])
    return out


def refused(capsys, *words: object) -> str:
    return refusal(capsys, text.main, words)


@pytest.fixture(scope="module")
def strong(source, tmp_path_factory) -> Path:
    return build(source, tmp_path_factory.mktemp("biased") / "strong", "--level", "1")


def labels(rows):
    return [TRUTH.solution(row.solution, where=row.id) for row in rows]


def test_rows_are_those_of_the_source_with_two_columns_more(source, strong):
    for split in ("train", "validation", "test"):
        before = {row.id: row for row in dataset.load(source, split)}
        for row in dataset.load(strong, split):
            added = {name: row.meta[name] for name in ("shortcut", "bias_group")}
            assert row.meta == {**before[row.id].meta, **added}
            assert row.model_copy(update={"meta": before[row.id].meta}) == before[row.id]
        check_pictures(dataset.load(strong, split), root=strong)
    assert {row.id for row in dataset.load(strong, "test")} == {row.id for row in dataset.load(source, "test")}


def test_marks_say_what_the_training_rows_teach(strong):
    train = dataset.load(strong, "train")
    taught = {row.meta["relation"]: TRUTH.solution(row.solution, where=row.id) for row in train}
    assert taught.keys() == TRAIN.keys()
    assert {row.meta["bias_group"] for row in train} == {AGREEING}
    for row in dataset.load(strong, "test"):
        says = taught.get(row.meta["relation"])
        assert row.meta["shortcut"] is says
        expected = NEUTRAL if says is None else AGREEING if labels([row]) == [says] else OPPOSING
        assert row.meta["bias_group"] == expected
    groups = manifest.read(strong)["bias_groups"]["test"]
    assert sum(groups.values()) == sum(map(sum, HELD_OUT.values()))
    assert groups[NEUTRAL] == sum(HELD_OUT["between"])


def test_counter_biased_rows_oppose_and_are_half_true(strong):
    for split in ("validation", "test"):
        rows = dataset.load(strong, f"{split}_counter")
        whole = dataset.load(strong, split)
        assert {row.meta["bias_group"] for row in rows} == {OPPOSING}
        assert rows == [row for row in whole if row in rows], "part of the split, in its order"
        opposing = labels(row for row in whole if row.meta["bias_group"] == OPPOSING)
        assert sum(labels(rows)) == len(rows) / 2 == min(sum(opposing), len(opposing) - sum(opposing))


def test_the_manifest_names_mode_level_probe_and_counts(source, strong, tmp_path):
    written = manifest.read(strong, kind=dataset.KIND)
    assert written["config"] == {"bias": "text", "mode": "balanced", "strength": 1.0, "size": None, "seed": 42}
    assert (written["agreeing_share"], written["true_share"], written["strength_achieved"]) == (1.0, 0.5, 1.0)
    assert written["level_name"].startswith("acc_")
    assert {"in_sample", "cross_validated", "validation", "test"} == written["probe"].keys()
    assert written["probe"]["test"]["n"] == sum(sum(c) for r, c in HELD_OUT.items() if r in TRAIN)
    assert written["neutral_relations"]["test"] == {"between": 2}
    assert written["counter"]["rows"]["test"] == written["counts"]["test_counter"]
    assert written["shared_images"]["train-test"] == 4, "pictures in two splits are reported"
    published = manifest.read(build(source, tmp_path / "out", "--keep", "0.6"))
    assert published["config"] == {"bias": "text", "mode": "published", "keep": 0.6, "seed": 42}
    assert published["left_out"] == sum(map(sum, TRAIN.values())) - (published["counts"]["train"] - 3)
    assert published["quirks"]["tied_relations"] == ["left of", "past"]
    copies = [row.id for row in dataset.load(tmp_path / "out", "train") if row.id.endswith("+copy")]
    assert len(copies) == published["quirks"]["duplicates"] == 3


def test_strengths_share_groups_so_that_arms_can_be_compared(source, strong, tmp_path):
    weak = build(source, tmp_path / "weak", "--level", "0")
    for split in ("validation", "test", "test_counter"):
        assert dataset.load(weak, split) == dataset.load(strong, split)
    assert manifest.read(weak)["counts"] == manifest.read(strong)["counts"]
    assert manifest.read(weak)["agreeing_share"] == pytest.approx(0.5, abs=0.03)


def test_another_process_builds_the_same(source, strong, tmp_path):
    command = [sys.executable, "-m", "vlm_grpo.bias.text", "--data", str(source), "--level", "1"]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    subprocess.run([*command, "--out", str(tmp_path / "out")], check=True, capture_output=True, env=environment)
    assert manifest.read(tmp_path / "out")["fingerprints"] == manifest.read(strong)["fingerprints"]


def test_shuffled_rows_give_the_same_training_set(source, strong, tmp_path):
    rows = {split: dataset.load(source, split)[::-1] for split in ("train", "validation", "test")}
    shuffled = build(save_relation_data(tmp_path / "data", **rows), tmp_path / "out", "--level", "1")
    assert dataset.load(shuffled, "train") == dataset.load(strong, "train")


def test_a_second_run_changes_nothing_and_another_level_is_refused(source, tmp_path, capsys):
    out = build(source, tmp_path / "out", "--level", "0.5")
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()}
    build(source, out, "--level", "0.5")
    assert "(complete already)" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()} == before
    assert "belongs to another run" in refused(capsys, "--data", source, "--out", out, "--level", "0.6")


def test_pictures_are_linked_and_mended(source, tmp_path):
    out = build(source, tmp_path / "out", "--level", "0")
    picture = out / "images" / "red.png"
    assert picture.stat().st_ino == (source / "images" / "red.png").stat().st_ino
    picture.unlink()
    build(source, out, "--level", "0")
    assert picture.is_file()
    assert manifest.read(out)["pictures"] == {"linked": 1, "copied": 0, "kept": 3}


def test_a_dry_run_tells_and_writes_nothing(source, tmp_path, capsys):
    build(source, tmp_path / "out", "--level", "0.9", "--dry-run")
    printed = capsys.readouterr().out
    assert "balanced, strength 0.9" in printed
    assert "note: 2 rows of test are neutral, train has no such relation: between" in printed
    assert not (tmp_path / "out").exists()


def test_one_label_alone_is_no_level_of_the_study(source, tmp_path, capsys):
    tied = save_relation_data(
        tmp_path / "data", train=[relation_row(c) for c in relation_cases({"on": (4, 4), "under": (3, 3)})]
    )
    out = build(tied, tmp_path / "out", "--keep", "0")
    assert "level: one label (all rows have one label" in capsys.readouterr().out
    assert (manifest.read(out)["level_name"], manifest.read(out)["probe"]) == ("one label", None)


def test_the_probe_is_told_on_each_part_with_its_interval(source, tmp_path, capsys):
    out = build(source, tmp_path / "out", "--level", "1")
    printed = capsys.readouterr().out
    probe = manifest.read(out)["probe"]
    for part, name in (("in_sample", "in-sample"), ("cross_validated", "cross-validated"), ("test", "test")):
        score = probe[part]
        assert f"{name} {score['accuracy']:.4f} ({score['ci_low']:.3f} to {score['ci_high']:.3f})" in printed


def test_the_extreme_set_has_no_counter_biased_part(source, tmp_path, capsys):
    out = build(source, tmp_path / "out", "--level", "extreme")
    printed = capsys.readouterr().out
    assert "note: no split test_counter" in printed
    written = manifest.read(out)
    assert (written["counts"]["train"], written["level_name"], written["probe"]) == (5, "acc_extreme_small", None)
    assert "test_counter" not in written["counts"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--level", "1.2"], "level 1.2 is outside [0, 1]"),
        (["--level", "-0.1"], "level -0.1 is outside [0, 1]"),
        (["--level", "nan"], "level nan is outside [0, 1]"),
        (["--level", "strong"], "neither a number from 0 to 1 nor one of acc_0.627"),
        (["--keep", "2"], "--keep 2.0 is outside [0, 1]"),
        ([], "say how strong the bias is, once"),
        (["--level", "0.5", "--keep", "0.5"], "say how strong the bias is, once"),
        (["--mode", "published", "--level", "0.5"], "mode published takes --keep K or one of"),
        (["--mode", "balanced", "--level", "extreme"], "mode balanced takes a number"),
        (["--level", "acc_0.69", "--size", "10"], "--size belongs to the mode balanced"),
        (["--level", "0.5", "--size", "9"], "size 9: give an even number"),
        (["--level", "0.5", "--check"], "--check belongs to --table"),
        (["--level", "0.5", "--facts", "other.gz"], "--facts belongs to --table"),
    ],
)
def test_levels_that_cannot_be(source, tmp_path, capsys, words, message):
    assert message in refused(capsys, "--data", source, "--out", tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


def without_relation(row):
    return row.model_copy(update={"meta": {**row.meta, "relation": " "}})


def broken(row, **changes):
    return row.model_copy(update=changes)


@pytest.mark.parametrize(
    "split, spoil, message",
    [
        ("train", without_relation, "split 'train' row train-000: relation ' ' is empty"),
        ("test", without_relation, "split 'test' row test-000: relation ' ' is empty"),
        ("train", lambda row: broken(row, solution="<answer> 2 </answer>"), "is neither True nor False"),
        ("train", lambda row: broken(row, meta={**row.meta, "label": 2}), "row train-000: label 2 is not 1"),
        (
            "train",
            lambda row: broken(row, task="counting", solution="3"),
            "a bias needs answers that are True or False; the task counting asks for a whole number",
        ),
        ("validation", lambda row: broken(row, images=("images/none.png",)), "images/none.png is missing"),
        ("train", lambda row: broken(row, meta={**row.meta, "shortcut": True}), "marked by another bias"),
    ],
)
def test_rows_that_cannot_be(tmp_path, capsys, split, spoil, message):
    counts = TRAIN if split == "train" else HELD_OUT
    rows = [relation_row(case) for case in relation_cases(counts, split=split)]
    if "shortcut" in spoil(rows[0]).meta:
        rows = [spoil(row) for row in rows]
    data = save_relation_data(tmp_path / "data", **{split: [spoil(rows[0]), *rows[1:]]})
    assert message in refused(capsys, "--data", data, "--out", tmp_path / "out", "--level", "0.9")
    assert not (tmp_path / "out").exists()


def test_labels_that_cannot_be_balanced(tmp_path, capsys):
    rows = [relation_row(case) for case in relation_cases({"on": (5, 0), "under": (4, 0)})]
    data = save_relation_data(tmp_path / "data", train=rows)
    message = refused(capsys, "--data", data, "--out", tmp_path / "out", "--level", "0.9")
    assert "cannot be balanced with every relation kept" in message


def test_places_that_cannot_be_written_or_read(source, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    assert "cannot make the folder" in refused(capsys, "--data", source, "--out", below, "--level", "0")
    assert "is a file" in refused(capsys, "--data", source, "--out", tmp_path / "file", "--level", "0")
    assert "lies in the data set" in refused(capsys, "--data", source, "--out", source / "biased", "--level", "0")
    assert "does not exist" in refused(capsys, "--data", tmp_path / "no", "--out", tmp_path / "x", "--level", "0")
    assert "give --data and --out" in refused(capsys, "--level", "0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_forbidden_place(source, tmp_path, capsys):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "permission denied" in refused(capsys, "--data", source, "--out", tmp_path / "closed" / "x", "--level", "0")


def test_a_data_set_without_training_rows(tmp_path, capsys):
    from tiny_data import save_tiny_data

    data = save_tiny_data(tmp_path / "data", test=[relation_row(Case("a", "on", True, "images/red.png"))])
    assert "has no split 'train'" in refused(capsys, "--data", data, "--out", tmp_path / "out", "--level", "0")


def test_a_split_with_the_name_of_a_part_is_refused(tmp_path, capsys):
    rows = [relation_row(case) for case in relation_cases(HELD_OUT, split="test_counter")]
    data = save_relation_data(tmp_path / "data", test_counter=rows)
    message = refused(capsys, "--data", data, "--out", tmp_path / "out", "--level", "0.9")
    assert "split 'test_counter' is what the part of 'test' is called" in message


def test_one_level_however_it_is_written_is_one_data_set(source, tmp_path, capsys):
    out = build(source, tmp_path / "out", "--level", "0.90")
    assert "(complete already)" not in capsys.readouterr().out
    for level in ("0.9", ".9", "9e-1"):
        build(source, out, "--level", level)
        assert "(complete already)" in capsys.readouterr().out


def test_the_help_shows_commands_to_copy(capsys):
    with pytest.raises(SystemExit):
        text.main(["--help"])
    printed = capsys.readouterr().out
    assert "python -m vlm_grpo.bias.text --data data/vsr --level 0.9" in printed
