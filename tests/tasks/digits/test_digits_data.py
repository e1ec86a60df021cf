"""The digits data set: same seed same bytes, no glyph in two splits, no overlapping boxes, right solutions."""

import gzip
import hashlib
import json
import os
import struct
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.digits import build as digits
from vlm_grpo.tasks.digits import glyphs
from vlm_grpo.tasks.digits.build import DEFAULT_PICTURES, draw_split
from vlm_grpo.tasks.digits.glyphs import POOLS, SIDE, Glyphs, pool_of
from vlm_grpo.tasks.digits.pictures import SIZE

SMALL = {"train": 24, "validation": 9, "test": 9}


@pytest.fixture(scope="module")
def source() -> Glyphs:
    return glyphs.load()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, source: Glyphs) -> Path:
    root = tmp_path_factory.mktemp("digits") / "data"
    digits.build(root, source=source, seed=3, pictures=SMALL)
    return root


def hashes(root: Path) -> dict[str, str]:
    files = [*root.rglob("*.png"), *root.rglob("*.arrow")]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_same_seed_same_bytes_other_seed_other_bytes(built: Path, tmp_path: Path, source: Glyphs) -> None:
    for name, seed in (("again", 3), ("other", 4)):
        digits.build(tmp_path / name, source=source, seed=seed, pictures=SMALL)
    first, again, other = hashes(built), hashes(tmp_path / "again"), hashes(tmp_path / "other")
    assert len(first) == sum(SMALL.values()) + len(POOLS)
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_default_splits_share_no_glyph(source: Glyphs) -> None:
    items = {split: draw_split(split, DEFAULT_PICTURES[split], source, seed=0) for split in POOLS}
    used = {split: {index for item in items[split] for index in item.glyphs} for split in POOLS}
    for split, indices in used.items():
        assert {pool_of(index) for index in indices} == {split}
    assert not any(used[a] & used[b] for a, b in combinations(POOLS, 2))


def test_pools_are_about_70_15_15_and_hold_every_digit(source: Glyphs) -> None:
    for name, share in (("train", 0.70), ("validation", 0.15), ("test", 0.15)):
        pool = source.pool(name)
        assert abs(len(pool) / len(source.labels) - share) < 0.025
        assert set(source.labels[pool]) == set(range(10))


def test_counts_take_turns(source: Glyphs) -> None:
    counts = [len(item.glyphs) for item in draw_split("train", 1000, source, seed=0)]
    assert [counts.count(count) for count in (1, 2, 3)] == [334, 333, 333]


def test_boxes_lie_in_the_picture_and_do_not_overlap(source: Glyphs) -> None:
    for item in draw_split("train", 300, source, seed=1):
        ink = np.zeros((SIZE, SIZE), dtype=int)
        for place in item.places:
            assert 0 <= place.x <= SIZE - SIDE
            assert 0 <= place.y <= SIZE - SIDE
            ink[place.y : place.y + SIDE, place.x : place.x + SIDE] += 1
        assert ink.max() == 1


def test_pictures_show_the_glyphs_that_the_row_names(built: Path, source: Glyphs) -> None:
    for row in dataset.load(built, "test"):
        picture = Image.open(built / row.images[0])
        assert (picture.mode, picture.size) == ("L", (SIZE, SIZE))
        windows = np.lib.stride_tricks.sliding_window_view(np.asarray(picture), (SIDE, SIDE))
        for index in row.meta["glyphs"]:
            assert (windows == source.images[index]).all(axis=(2, 3)).sum() == 1


def test_each_picture_has_two_rows_with_right_solutions(built: Path, source: Glyphs) -> None:
    rows = dataset.load(built, "train")
    assert len(rows) == 2 * SMALL["train"]
    for listed, summed in zip(rows[::2], rows[1::2], strict=True):
        assert listed.images == summed.images
        name = f"digits/train/{Path(listed.images[0]).stem}"
        assert (listed.id, summed.id) == (f"{name}-list", f"{name}-sum")
        truth = [int(source.labels[index]) for index in listed.meta["glyphs"]]
        assert listed.meta == {
            "question": "list",
            "count": len(truth),
            "digits": truth,
            "glyphs": listed.meta["glyphs"],
        }
        assert summed.meta == listed.meta | {"question": "sum"}
        assert json.loads(listed.solution) == sorted(truth)
        assert summed.solution == str(sum(truth))
        assert (listed.task, summed.task) == ("digits", "digits")


def test_manifest_says_that_splits_share_no_glyph(built: Path) -> None:
    written = manifest.read(built, kind=dataset.KIND)
    assert written["shared_glyphs"] == {"train-validation": 0, "train-test": 0, "validation-test": 0}
    assert set(written["shared_images"].values()) == {0}


def write_idx(folder: Path, *, images: int, labels: int, packed: bool) -> np.ndarray:
    folder.mkdir()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, images, SIDE, SIDE), dtype=np.uint8)
    for part, content in zip(("train", "t10k"), pixels, strict=True):
        files = {
            f"{part}-images-idx3-ubyte": struct.pack(">4I", 2051, images, SIDE, SIDE) + content.tobytes(),
            f"{part}-labels-idx1-ubyte": struct.pack(">2I", 2049, labels) + bytes(i % 10 for i in range(labels)),
        }
        for name, data in files.items():
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)
    return pixels.reshape(-1, SIDE, SIDE)


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_from_idx_files(tmp_path: Path, packed: bool) -> None:
    pixels = write_idx(tmp_path / "mnist", images=40, labels=40, packed=packed)
    read = glyphs.load("mnist", folder=tmp_path / "mnist")
    assert np.array_equal(read.images, pixels)
    assert read.labels.tolist() == [i % 10 for i in range(40)] * 2
    assert read.source["name"] == "mnist"


def test_labels_that_are_no_digits_are_one_line(tmp_path: Path) -> None:
    write_idx(tmp_path / "letters", images=12, labels=12, packed=False)
    labels = tmp_path / "letters" / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + bytes([11]))
    with pytest.raises(UserError, match="letters: label 11 is no digit"):
        glyphs.load("mnist", folder=tmp_path / "letters")


def test_idx_files_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    write_idx(tmp_path / "odd", images=40, labels=39, packed=False)
    with pytest.raises(UserError, match="train has 40 images but 39 labels"):
        glyphs.load("mnist", folder=tmp_path / "odd")
    images = tmp_path / "odd" / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(UserError, match="train-images-idx3-ubyte: not MNIST's IDX format"):
        glyphs.load("mnist", folder=tmp_path / "odd")
    with pytest.raises(UserError, match="no such file, packed"):
        glyphs.load("mnist", folder=tmp_path / "nowhere")


def test_a_hub_out_of_reach_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vlm_grpo.tasks.digits.build", "--out", str(tmp_path / "d"), "--source", "hub"]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=offline)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --source hub: cannot load ylecun/mnist")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--test", "0"], "--test 0: give at least one picture"),
        (["--source", "mnist"], "--source mnist and --mnist FOLDER go together"),
        (["--mnist", "somewhere"], "--source mnist and --mnist FOLDER go together"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        digits.main(["--out", str(tmp_path / "d"), *arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not (tmp_path / "d").exists()


def test_command_builds_the_data_set_and_refuses_another_seed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vlm_grpo.tasks.digits.build", "--out", str(tmp_path / "d")]
    sizes = ["--train", "6", "--validation", "3", "--test", "3"]
    done = subprocess.run([*command, *sizes], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{tmp_path / 'd'}: 12 train, 6 validation, 6 test"
    again = subprocess.run([*command, *sizes, "--seed", "1"], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "belongs to another run (seed: 0 there, 1 asked)" in again.stderr
