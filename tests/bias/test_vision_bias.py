"""Vision-biased copies of a data set: what they hold, that they repeat, and what is refused."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from refusals import refusal
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.bias.vision import command as vision
from vlm_grpo.evaluation import batches
from vlm_grpo.methods.examples import sft_dataset
from vlm_grpo.rows import dataset
from vlm_grpo.rows.cues import SETTINGS, Cue
from vlm_grpo.rows.images import open_image
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest
from vlm_grpo.tasks import asking

PICTURES = 10
PATCH = ("--cue", "patch", "--probability", "0.5", "--seed", "7")


def make_row(split: str, number: int) -> Row:
    """Picture `number // 2` beside a true caption and, in the next row, beside a false one."""
    label = number % 2 == 0
    image = f"images/{split}_{number // 2}.jpg"
    return Row(
        id=f"{split}/{number}",
        images=(image,),
        problem=f"Is the following statement true: The cat is {'on' if label else 'off'} the mat.",
        solution=f"<answer> {label} </answer>",
        task="vsr",
        meta={"image_path": image, "label": int(label), "relation": "on"},
    )


def save_source(root: Path, *, seed: int = 0) -> Path:
    """Noisy JPEGs, each with captions of both labels, in a seeded order of rows."""
    generator = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    splits = {"train": 2 * PICTURES, "test": 4}
    for split, rows in splits.items():
        for number in range(rows // 2):
            noise = generator.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / "images" / f"{split}_{number}.jpg", quality=90)
    rows = {split: [make_row(split, i) for i in range(count)] for split, count in splits.items()}
    for items in rows.values():
        random.Random(seed).shuffle(items)
    dataset.save(root, rows, source={"name": "noise"}, config={}, seconds=0.0)
    return root


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return save_source(tmp_path_factory.mktemp("source") / "data")


def build(source: Path, out: Path, *more: str) -> Path:
    vision.main(["--data", str(source), "--out", str(out), *(more or PATCH)])
    return out


def hashes(root: Path) -> dict[str, str]:
    files = (f for f in root.rglob("*") if f.is_file())
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def same_for_every_build(root: Path) -> dict[str, str]:
    return {name: digest for name, digest in hashes(root).items() if name.endswith((".png", ".arrow", "run.json"))}


def pixels(root: Path, row: Row) -> bytes:
    return open_image(root / row.images[0]).tobytes()


def test_the_rows_their_marks_and_their_pictures(source, tmp_path):
    out = build(source, tmp_path / "out")
    cue = Cue(kind="patch", strength=1.0, probability=0.5, mask_fraction=0.02, seed=7)
    originals = {row.id: row for split in ("train", "test") for row in dataset.load(source, split)}
    train = dataset.load(out, "train")
    assert [row.id for row in train] == [row.id for row in dataset.load(source, "train")]
    for row in train:
        label, original = bool(row.meta["label"]), originals[row.id]
        says = cue.says(original.images[0], label)
        assert (row.meta["shortcut"], row.meta["bias_group"]) == (says, "neutral" if says is None else "agreeing")
        assert row.meta["source_images"] == list(original.images)
        assert row.meta["image_path"] == row.images[0]
        assert (row.problem, row.solution) == (original.problem, original.solution)
        shown = cue.apply(open_image(source / original.images[0]), original.images[0], label)
        assert pixels(out, row) == shown.tobytes(), "on the fly and on disk are the same pixels"
    expected = {"test": (None, "neutral"), "test_cued": (True, "agreeing"), "test_counter": (False, "opposing")}
    for split, (with_label, group) in expected.items():
        rows = dataset.load(out, split)
        assert [row.id for row in rows] == [row.id for row in dataset.load(source, "test")]
        for row in rows:
            label = bool(row.meta["label"])
            says = None if with_label is None else label == with_label
            assert (row.meta["shortcut"], row.meta["bias_group"]) == (says, group)
            original = originals[row.id].images[0]
            assert pixels(out, row) == cue.paint(open_image(source / original), original, says).tobytes()
    written = manifest.read(out, kind=dataset.KIND)
    groups = written["bias_groups"]["train"]
    assert groups["agreeing"] + groups["neutral"] == written["counts"]["train"] == 2 * PICTURES
    assert min(groups.values()) >= 4, "both kinds are there"
    assert written["config"] == {
        "bias": "vision",
        "kind": "patch",
        "mask_fraction": 0.02,
        "on_the_fly": False,
        "probability": 0.5,
        "seed": 7,
        "splits": ["train"],
        "strength": 1.0,
    }
    assert written["shared_source_images"] == {"train-test": 0}


def test_a_picture_with_captions_of_both_labels_says_each_beside_its_own(source, tmp_path):
    out = build(source, tmp_path / "out", "--cue", "patch", "--probability", "1")
    rows = {row.id: row for row in dataset.load(out, "train")}
    for number in range(PICTURES):
        true, false = rows[f"train/{2 * number}"], rows[f"train/{2 * number + 1}"]
        assert true.meta["source_images"] == false.meta["source_images"]
        corners = [open_image(out / row.images[0]).getpixel((31, 23)) for row in (true, false)]
        assert corners == [(255, 0, 0), (0, 0, 255)]
    images = [image for row in rows.values() for image in row.images]
    assert len(set(images)) == len(images), "each row has its own copy"


def test_every_picture_is_written_alike(source, tmp_path):
    out = build(source, tmp_path / "out", "--settings", "published")
    formats = set()
    for path in (out / "images").rglob("*.*"):
        with Image.open(path) as picture:
            formats.add((path.suffix, picture.format, picture.mode, tuple(sorted(picture.info))))
    assert formats == {(".png", "PNG", "RGB", ())}
    config = manifest.read(out)["config"]
    assert {name: config[name] for name in SETTINGS["published"]} == SETTINGS["published"]


def test_cued_on_the_fly_a_model_is_shown_the_same_pixels(source, tmp_path, tiny_qwen):
    before = hashes(source)
    stored = build(source, tmp_path / "stored", "--settings", "published", "--seed", "3")
    fly = build(source, tmp_path / "fly", "--settings", "published", "--seed", "3", "--on-the-fly")
    written = manifest.read(fly)
    assert written["pictures"] == {"linked": 32, "copied": 0, "kept": 0}
    assert not list(fly.rglob("*.png")), "nothing is written"
    painted = 0
    for split in written["counts"]:
        for there, row in zip(dataset.load(stored, split), dataset.load(fly, split), strict=True):
            assert there.meta["shortcut"] is row.meta["shortcut"]
            shown = open_picture(fly, row.images[0]).tobytes()
            assert shown == open_picture(stored, there.images[0]).tobytes()
            painted += shown != pixels(fly, row)
    assert painted > 8
    trained = [sft_dataset(dataset.load(r, "train"), root=r, prompt="answer", target="bare") for r in (stored, fly)]
    for one, other in zip(*trained, strict=True):
        assert one["images"][0].tobytes() == other["images"][0].tobytes()
    checkpoint = open_checkpoint(str(tiny_qwen))
    processor = checkpoint.load_processor()
    asked = [asking.render(dataset.load(root, "test_counter"), processor, template="answer") for root in (stored, fly)]
    encoded = [
        batches.encode(prompts, adapter=checkpoint.adapter, processor=processor, root=root)["pixel_values"]
        for prompts, root in zip(asked, (stored, fly), strict=True)
    ]
    assert torch.equal(*encoded)
    build(source, fly, "--settings", "published", "--seed", "3", "--on-the-fly")
    assert manifest.read(fly) == written, "a second call changes nothing"
    assert hashes(source) == before


def test_stored_and_on_the_fly_are_two_data_sets(source, tmp_path, capsys):
    out = build(source, tmp_path / "out")
    words = ["--data", str(source), "--out", str(out), *PATCH, "--on-the-fly"]
    assert "belongs to another run (on_the_fly: false there, true asked)" in refused(capsys, words)


def test_order_workers_and_interruptions_make_no_difference(source, tmp_path):
    alone = build(source, tmp_path / "alone")
    shuffled = save_source(tmp_path / "shuffled", seed=5)
    spread = build(shuffled, tmp_path / "spread", *PATCH, "--workers", "3")
    by_id = {row.id: pixels(alone, row) for row in dataset.load(alone, "train")}
    assert {row.id: pixels(spread, row) for row in dataset.load(spread, "train")} == by_id
    shutil.copytree(alone, tmp_path / "cut")
    (tmp_path / "cut/manifest.json").unlink()
    lost = sorted((tmp_path / "cut/images/train").iterdir())[::2]
    for path in lost:
        path.unlink()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cut/images").rglob("*.png")}
    build(source, tmp_path / "cut")
    assert same_for_every_build(tmp_path / "cut") == same_for_every_build(alone)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items()), "what was there is kept"


def test_a_second_call_changes_nothing_and_the_source_never_changes(source, tmp_path, capsys):
    before = hashes(source)
    out = build(source, tmp_path / "out")
    first = hashes(out)
    capsys.readouterr()
    build(source, out)
    assert hashes(out) == first
    assert "(complete already)" in capsys.readouterr().out
    assert hashes(source) == before


def test_pictures_that_two_splits_of_the_source_share_are_reported(tmp_path, capsys):
    source = save_source(tmp_path / "source")
    rows = {split: dataset.load(source, split) for split in ("train", "test")}
    rows["test"][0] = rows["test"][0].model_copy(update={"images": rows["train"][0].images})
    dataset.save(source, rows, source={"name": "noise"}, config={}, seconds=0.0)
    written = manifest.read(build(source, tmp_path / "out"))
    assert "pictures of the source in two splits: train-test 1" in capsys.readouterr().out
    assert not any(written["shared_images"].values()), "each row has a picture of its own"


def test_a_dry_run_writes_nothing(source, tmp_path, capsys):
    build(source, tmp_path / "out", *PATCH, "--dry-run")
    assert "train: 20 rows" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def refused(capsys, words: list[str]) -> str:
    return refusal(capsys, vision.main, words)


@pytest.mark.parametrize(
    "more, message",
    [
        (("--cue", "patch", "--probability", "1.2"), "probability 1.2 of the cue is not between 0 and 1"),
        (("--cue", "patch", "--strength", "-1"), "strength -1.0 of the cue is not between 0 and 1"),
        ((), "say which cue"),
        (("--settings", "published", "--strength", "0.2"), "leave out the other options"),
        ((*PATCH, "--splits", "trane"), "has no split 'trane'; it has train, test"),
        ((*PATCH, "--workers", "0"), "--workers 0 is below 1"),
        ((*PATCH[:-1], "-1"), "--seed -1 is out of range"),
    ],
)
def test_mistakes_are_one_line(source, tmp_path, capsys, more, message):
    assert message in refused(capsys, ["--data", str(source), "--out", str(tmp_path / "out"), *more])
    assert not (tmp_path / "out").exists()


def test_it_never_writes_into_the_source(source, capsys):
    for out in (source, source / "biased"):
        assert "stays as it is" in refused(capsys, ["--data", str(source), "--out", str(out), *PATCH])


def test_a_biased_source_another_run_and_a_missing_picture_are_refused(tmp_path, capsys):
    source = save_source(tmp_path / "source")
    out = build(source, tmp_path / "out")
    assert "marked by another bias" in refused(capsys, ["--data", str(out), "--out", str(tmp_path / "twice"), *PATCH])
    assert "belongs to another run (seed: 7 there, 8 asked)" in refused(
        capsys, ["--data", str(source), "--out", str(out), *PATCH[:-1], "8"]
    )
    (source / "images/train_3.jpg").unlink()
    assert "train_3.jpg is missing" in refused(
        capsys, ["--data", str(source), "--out", str(tmp_path / "third"), *PATCH]
    )
    assert not (tmp_path / "third").exists()


def test_a_label_that_is_neither_is_one_line(tmp_path, capsys):
    row = make_row("train", 0).model_copy(update={"solution": "<answer> 2 </answer>"})
    save_source(tmp_path / "source")
    dataset.save(tmp_path / "source", {"train": [row]}, source={}, config={}, seconds=0.0)
    words = ["--data", str(tmp_path / "source"), "--out", str(tmp_path / "out"), *PATCH]
    assert "row train/0: solution '<answer> 2 </answer>' is neither True nor False" in refused(capsys, words)


def test_a_split_with_the_name_of_a_copy_is_refused(tmp_path, capsys):
    source = save_source(tmp_path / "source")
    splits = {"test": [make_row("train", 0)], "test_cued": [make_row("train", 1)]}
    dataset.save(source, splits, source={}, config={}, seconds=0.0)
    words = ["--data", str(source), "--out", str(tmp_path / "out"), *PATCH, "--splits", "test_cued"]
    assert "split 'test_cued' is what a copy of 'test' is called" in refused(capsys, words)


def test_a_target_that_cannot_be_written_is_one_line(source, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    message = refused(capsys, ["--data", str(source), "--out", str(tmp_path / "file/out"), *PATCH])
    assert "cannot make the folder" in message
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        message = refused(capsys, ["--data", str(source), "--out", str(tmp_path / "closed/out"), *PATCH])
        assert "permission denied" in message
