"""The cryptogram data set: same seed same bytes, nothing shared between splits, every row solved by its own table."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.cryptogram import build, tables, words
from vlm_grpo.tasks.cryptogram.cipher import ALPHABET, POOLS, decode, pool_of, spaced
from vlm_grpo.tasks.cryptogram.grid import grid_of, image_processor
from vlm_grpo.tasks.cryptogram.task import TASK

ROOT = Path(__file__).resolve().parents[3]
REAL = ROOT.parent / "shared" / "data" / "r1_vlm" / "example_decoder_sequences.png"
SMALL = {"train": 30, "validation": 6, "test": 9}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("cryptogram") / "data"
    build.build(root, kind="sequence", seed=3, rows=SMALL)
    return root


def hashes(root):
    files = [*root.rglob("*.png"), *root.rglob("*.arrow")]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def ink(picture):
    return np.asarray(picture.convert("L")) < 128


def test_same_seed_same_bytes_other_seed_other_bytes(built, tmp_path):
    for name, seed in (("again", 3), ("other", 4)):
        build.build(tmp_path / name, kind="sequence", seed=seed, rows=SMALL)
    first, again, other = hashes(built), hashes(tmp_path / "again"), hashes(tmp_path / "other")
    assert len(first) == sum(SMALL.values()) + len(POOLS)
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_splits_share_neither_messages_nor_words_nor_mappings_and_the_manifest_says_so(built):
    rows = {split: dataset.load(built, split) for split in POOLS}
    for split, its in rows.items():
        assert {pool_of(word) for row in its for word in row.solution.split()} == {split}
        assert {pool_of(row.meta["mapping"]) for row in its} == {split}
        assert len({row.solution for row in its}) == len({row.meta["mapping"] for row in its}) == len(its)
    written = manifest.read(built)
    assert written["shared"].keys() == {"messages", "words", "mappings"}
    for counts in written["shared"].values():
        assert list(counts.values()) == [0, 0, 0]


def test_sharing_is_counted():
    """The counts of the manifest are not zero by construction."""
    one, other = (
        build.Cryptogram(name="a", message=message, mapping=ALPHABET, order=ALPHABET) for message in ("cat dog", "dog")
    )
    counts = build.shared({"train": [one], "test": [other]})
    assert [next(iter(pairs.values())) for pairs in counts.values()] == [0, 1, 1]


def test_each_row_is_solved_by_its_own_mapping(built):
    for split in POOLS:
        for row in dataset.load(built, split):
            assert decode(row.meta["code"], row.meta["mapping"]) == spaced(row.solution)
            assert row.problem.endswith(row.meta["code"])
            assert "<chars>" in row.problem
            assert row.meta["words"] == len(row.solution.split())


def test_one_two_and_three_words_take_turns(built):
    assert Counter(row.meta["words"] for row in dataset.load(built, "train")) == {1: 10, 2: 10, 3: 10}
    assert [row.meta["words"] for row in dataset.load(built, "train")][:6] != [1, 2, 3, 1, 2, 3]


def test_single_words_ask_for_no_chars(tmp_path):
    build.build(tmp_path / "d", kind="word", seed=0, rows=SMALL)
    rows = dataset.load(tmp_path / "d", "train")
    assert {row.meta["words"] for row in rows} == {1}
    assert not any("<chars>" in row.problem for row in rows)
    with Image.open(tmp_path / "d" / rows[0].images[0]) as picture:
        assert (picture.size, picture.mode) == ((300, 300), "RGB")


@pytest.mark.parametrize("kind", ["word", "sequence"])
def test_pairs_stand_apart_in_the_reference_grid(kind):
    """Every pair has ink in its own cell, the last one below the middle, and none runs over the picture's edge."""
    side = tables.SIDES[kind]
    picture = ink(tables.render(ALPHABET[1:] + "a", ALPHABET, kind=kind))
    width, height = side // 5, (side - 50) // 5
    for row in range(5):
        for column in range(5):
            cell = picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
            assert cell.any()
            y, x = (np.nonzero(cell)[axis] for axis in (0, 1))
            assert abs((y.min() + y.max()) / 2 - height / 2) < 4
            assert abs((x.min() + x.max()) / 2 - width / 2) < 4
    below = picture[5 * height :]
    y, x = np.nonzero(below)
    assert abs(y.min() - 10) < 4
    assert abs((x.min() + x.max()) / 2 - side / 2) < 4
    assert not any(edge.any() for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]))


def test_the_picture_has_the_capitals_of_words_and_the_direction_of_decoding():
    upper, lower = (tables.render(ALPHABET[::-1], ALPHABET, kind=kind, side=400) for kind in ("word", "sequence"))
    assert ink(upper).sum() > ink(lower).sum()
    turned = tables.render(ALPHABET[1:] + "a", ALPHABET, kind="sequence")
    back = tables.render("z" + ALPHABET[:-1], ALPHABET, kind="sequence")
    assert not np.array_equal(ink(turned), ink(back))


@pytest.mark.skipif(not REAL.exists(), reason="r1_vlm's own picture is not on this machine")
def test_rows_and_columns_are_where_the_real_picture_has_them():
    """Its text stands some pixels lower in every cell, by the room above its font's letters; the pitch is the same."""

    def centres(picture, axis):
        filled = ink(picture).any(axis=axis)
        edges = np.flatnonzero(np.diff(np.r_[0, filled.astype(int), 0]))
        spans = edges.reshape(-1, 2)
        return np.array([span.mean() for span in spans if span[1] - span[0] > 4])

    with Image.open(REAL) as opened:
        real = opened.convert("RGB")
    ours = tables.render(ALPHABET[1:] + "a", ALPHABET, kind="sequence")
    assert real.size == ours.size
    rows = [centres(picture, 1)[:5] for picture in (real, ours)]
    assert np.abs(np.diff(rows[0]) - np.diff(rows[1])).max() < 5
    assert np.abs(np.diff(rows[1]) - 70).max() < 5


def test_the_font_has_every_letter_and_the_arrow():
    """The arrow is no letter of the font that stands for what it lacks; the licence lies beside it."""
    assert (tables.FONT.parent / "LICENSE_DEJAVU").exists()
    font = ImageFont.truetype(str(tables.FONT), tables.GLYPH)
    missing = bytes(font.getmask("\uffff"))
    drawn = {bytes(font.getmask(glyph)) for glyph in ALPHABET + ALPHABET.upper() + "→"}
    assert len(drawn) == 53
    assert missing not in drawn


@pytest.mark.parametrize(
    "side, patch, tokens", [(300, 14, 121), (400, 14, 196), (300, 16, 81), (400, 16, 144), (448, 16, 196)]
)
def test_the_real_grid_of_tokens(side, patch, tokens):
    """As the reference computed for Qwen2.5-VL (28 pixels a token) and Qwen3-VL (32)."""
    processor = image_processor(None)
    processor.patch_size = patch
    grid = grid_of(Image.new("RGB", (side, side)), processor)
    assert grid.tokens == tokens
    assert not grid.fits(20)
    assert grid.fits(40)


def test_the_builder_prints_the_grid_of_a_checkpoint_and_warns_of_small_letters(tmp_path, capsys):
    rows = ["--train", "3", "--validation", "3", "--test", "3"]
    build.main(["--out", str(tmp_path / "d"), "--model", "embedded:qwen2_5_vl", *rows])
    told = capsys.readouterr()
    assert "400 x 400 pixels are 4 x 4 = 16 image tokens" in told.out
    assert "a letter is 6 pixels high as embedded:qwen2_5_vl sees it, a token's patch 28" in told.err
    build.main(["--out", str(tmp_path / "e"), "--side", "800", "--glyph", "30", *rows])
    told = capsys.readouterr()
    assert "28 x 28 = 784" in told.out or "29 x 29 = 841" in told.out
    assert not told.err


def test_the_shipped_list_is_long_clean_and_licensed():
    listed = words.load(None, count=10**6)
    assert len(listed) >= 10_000
    assert len(set(listed)) == len(listed)
    assert all(set(word) <= set(ALPHABET) and len(word) >= 3 for word in listed)
    assert listed.index("the") < listed.index("people") < listed.index("homestead")
    assert len(words.load(None)) == 10_000
    licence = Path(words.__file__).parent / "words" / "LICENSE.md"
    assert "Attribution-ShareAlike 4.0" in licence.read_text(encoding="utf-8")


def test_the_users_own_words(tmp_path):
    own = [a + b + c for a in "bcdfgh" for b in "aeiou" for c in "lmnprst"]
    file = tmp_path / "own.txt"
    file.write_text("\n".join(["Ab", "", *own]) + "\n", encoding="utf-8")
    build.main(["--out", str(tmp_path / "d"), "--words", str(file), "--train", "9", "--validation", "3", "--test", "3"])
    said = {word for split in POOLS for row in dataset.load(tmp_path / "d", split) for word in row.solution.split()}
    assert said <= set(own)
    assert manifest.read(tmp_path / "d")["inputs"]["source"]["name"] == str(file)


@pytest.mark.parametrize(
    "lines, complaint",
    [
        ("cat\ndog house\n", "line 2: 'dog house' is no word of letters a to z; one word a line"),
        ("cat\nCAT\n", "line 2: 'cat' stands on line 1 too; remove one"),
        ("cat\ndog\n", "too few for as many different messages; give a longer list or fewer rows"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_line(tmp_path, lines, complaint):
    file = tmp_path / "own.txt"
    file.write_text(lines, encoding="utf-8")
    with pytest.raises(UserError, match=complaint):
        build.build(tmp_path / "d", kind="sequence", seed=0, rows=SMALL, word_list=file)
    assert not (tmp_path / "d").exists()


def test_rows_of_another_form_are_told(built):
    row = dataset.load(built, "test")[0]
    with pytest.raises(UserError, match="kind None is neither word nor sequence; build the data set again"):
        TASK.truth(row.model_copy(update={"meta": {}}))


def test_the_command_names_its_rows(tmp_path, capsys):
    build.main(["--out", str(tmp_path / "d"), "--kind", "word", "--train", "3", "--validation", "4", "--test", "5"])
    told = capsys.readouterr().out
    assert "300 x 300 pixels are 11 x 11 = 121 image tokens" in told
    assert told.endswith("3 train, 4 validation, 5 test\n")
