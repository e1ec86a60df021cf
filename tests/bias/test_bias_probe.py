"""The probes see what is there to be seen, and nothing where there is nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vlm_grpo.bias.probe import command as probe
from vlm_grpo.bias.probe import parts
from vlm_grpo.bias.vision import command as vision
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.intervals import wilson
from vlm_grpo.store import manifest

ROWS = {"train": 320, "test": 80}


RELATIONS = ("on", "under", "near")


def label_of(number: int) -> bool:
    return number % 2 == 0


def make_row(split: str, number: int, relation: str, *, rows_a_picture: int = 1) -> Row:
    return Row(
        id=f"{split}-{number}",
        images=(f"images/{split}_{number // rows_a_picture}.png",),
        problem=f"Is the following statement true: The cat is {relation} the mat.",
        solution=f"<answer> {label_of(number)} </answer>",
        task="vsr",
    )


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    """Noise, and relations that are true as often as not: neither picture nor question says anything."""
    root = tmp_path_factory.mktemp("probe") / "clean"
    (root / "images").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, rows in ROWS.items():
        for number in range(rows):
            noise = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / f"images/{split}_{number}.png")
    splits = {split: [make_row(split, i, RELATIONS[i // 2 % 3]) for i in range(rows)] for split, rows in ROWS.items()}
    dataset.save(root, splits, source={}, config={}, seconds=0.0)
    return root


def run(data: Path, out: Path, *more: str) -> dict[tuple[str, str], dict]:
    probe.main(["--data", str(data), "--out", str(out), *more])
    probed = json.loads((out / "probe.json").read_text())
    return {(score["probe"], score["part"]): score for score in probed["scores"]}


def test_nothing_is_seen_where_there_is_nothing(clean, tmp_path):
    scores = run(clean, tmp_path / "out")
    assert {part for _, part in scores} == {"train (fitted)", "train (held out)", "test"}
    for name in ("picture", "question"):
        score = scores[name, "test"]
        assert score["ci_low"] < 0.5 < score["ci_high"], score
        assert (score["ci_low"], score["ci_high"]) == pytest.approx(wilson(score["correct"], score["n"]))
        assert score["commoner"] == 0.5


@pytest.mark.parametrize("cue", ["tint", "patch", "border"])
def test_a_strong_cue_is_seen_and_followed(clean, cue, tmp_path):
    words = ["--data", str(clean), "--cue", cue, "--strength", "0.8", "--probability", "0.9", "--mask_fraction", "0.3"]
    vision.main([*words, "--out", str(tmp_path / "biased")])
    scores = run(tmp_path / "biased", tmp_path / "out", "--probes", "picture")
    assert scores["picture", "train (held out)"]["ci_low"] > 0.7
    assert scores["picture", "test_cued"]["ci_low"] > 0.8
    assert scores["picture", "test_counter"]["ci_high"] < 0.2
    clean_test = scores["picture", "test"]
    assert clean_test["ci_low"] < 0.5 < clean_test["ci_high"]


def test_a_shortcut_in_the_questions_is_seen(clean, tmp_path):
    rows = {s: [make_row(s, i, "on" if label_of(i) else "under") for i in range(n)] for s, n in ROWS.items()}
    (tmp_path / "data").mkdir()
    (tmp_path / "data/images").symlink_to(clean / "images")
    dataset.save(tmp_path / "data", rows, source={}, config={}, seconds=0.0)
    scores = run(tmp_path / "data", tmp_path / "out", "--heldout", "test", "--probes", "question")
    assert {score["accuracy"] for score in scores.values()} == {1.0}


def test_the_held_out_fifth_shares_no_picture_and_the_seed_decides(clean, tmp_path):
    paired = [make_row("train", i, "on", rows_a_picture=2) for i in range(ROWS["train"])]
    dataset.save(tmp_path / "paired", {"train": paired}, source={}, config={}, seconds=0.0)
    fitted, held_out = parts.parts_of(tmp_path / "paired", "train", [], seed=3)
    assert not {row.images for row in fitted.rows} & {row.images for row in held_out.rows}
    assert len(fitted.rows) + len(held_out.rows) == ROWS["train"]
    assert len(held_out.rows) == ROWS["train"] // 5
    first = run(clean, tmp_path / "a", "--probes", "picture")
    assert run(clean, tmp_path / "b", "--probes", "picture") == first
    assert run(clean, tmp_path / "c", "--probes", "picture", "--seed", "3") != first


def test_a_complete_result_is_shown_again_and_another_is_refused(clean, tmp_path, capsys):
    run(clean, tmp_path / "out", "--probes", "question")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    run(clean, tmp_path / "out", "--probes", "question")
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert manifest.read(tmp_path / "out", kind=probe.KIND)["seeds"] == {"seed": 42}
    assert "question  train (held out)" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        run(clean, tmp_path / "out", "--probes", "question", "--seed", "1")
    assert left.value.code == 2


@pytest.mark.parametrize(
    "more, message",
    [(("--train_split", "trane"), "has no split 'trane'"), (("--heldout", "tset"), "has no split 'tset'")],
)
def test_a_split_that_is_not_there_is_one_line(clean, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as left:
        run(clean, tmp_path / "out", *more)
    assert left.value.code == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert message in errors[0]


def test_one_label_alone_is_one_line(clean, tmp_path, capsys):
    rows = [row for row in dataset.load(clean, "train") if "True" in row.solution]
    dataset.save(tmp_path / "data", {"train": rows}, source={}, config={}, seconds=0.0)
    with pytest.raises(SystemExit):
        run(tmp_path / "data", tmp_path / "out")
    assert "all have one label" in capsys.readouterr().err
