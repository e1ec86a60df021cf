"""The tiny data set: the task's own rows, nothing shared between splits, pictures of their own mapping."""

import hashlib

import pytest
from PIL import Image, ImageChops

from vlm_grpo.embedded import tiny_cryptogram
from vlm_grpo.embedded.cipher_scenes import LETTERS, render
from vlm_grpo.embedded.tiny_cryptogram import DEFAULT_ROWS, draw_split
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.cryptogram.cipher import POOLS, decode, pool_of, spaced
from vlm_grpo.tasks.registry import check_solutions

SMALL = {"train": 12, "validation": 6, "test": 6}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny") / "data"
    tiny_cryptogram.build(root, seed=3, rows=SMALL)
    return root


def hashes(root):
    files = [*root.rglob("*.png"), *root.rglob("*.arrow")]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_same_seed_same_bytes_other_seed_other_bytes(built, tmp_path):
    for name, seed in (("again", 3), ("other", 4)):
        tiny_cryptogram.build(tmp_path / name, seed=seed, rows=SMALL)
    first, again, other = hashes(built), hashes(tmp_path / "again"), hashes(tmp_path / "other")
    assert first == again
    assert len(first) == sum(SMALL.values()) + len(POOLS)
    assert all(first[name] != other[name] for name in first)


def test_default_splits_share_neither_message_nor_mapping():
    items = {split: draw_split(split, DEFAULT_ROWS[split], seed=0) for split in POOLS}
    for split, its in items.items():
        assert {pool_of(item.cryptogram.message) for item in its} == {split}
        assert {pool_of(item.scene.mapping) for item in its} == {split}
        assert len({item.cryptogram.message for item in its}) == len({item.scene.mapping for item in its}) == len(its)


def test_rows_are_solved_by_their_picture(built):
    for item in draw_split("test", SMALL["test"], seed=3):
        row = tiny_cryptogram.as_row(item)
        assert decode(row.meta["code"], item.scene.mapping, LETTERS) == spaced(row.solution)
        assert decode(row.meta["code"], row.meta["mapping"]) == spaced(row.solution)
        with Image.open(built / row.images[0]) as stored:
            assert ImageChops.difference(stored, render(item.scene)).getbbox() is None


def test_rows_are_the_tasks_and_the_manifest_counts_what_is_shared(built):
    for split in POOLS:
        check_solutions(dataset.load(built, split), where=split)
    shared = manifest.read(built)["shared"]
    assert set(shared["messages"].values()) == set(shared["mappings"].values()) == {0}


@pytest.mark.parametrize("rows", [0, 1201])
def test_more_rows_than_messages_is_one_line(rows):
    with pytest.raises(UserError, match=f"--test {rows}: give 1 to 1200 rows"):
        draw_split("test", rows, seed=0)
