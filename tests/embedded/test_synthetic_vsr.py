"""The synthetic data set: same seed same bytes, no scene in two splits, labels balanced within each relation."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.embedded.test_scenes import true_in_picture

from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.embedded.scenes import POOLS, RELATIONS, pool_of
from vlm_grpo.embedded.synthetic_vsr import DEFAULT_ROWS, draw_split
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset

SMALL = {"train": 48, "validation": 16, "test": 16}


def hashes(root: Path) -> dict[str, str]:
    files = [*root.rglob("*.png"), *root.rglob("*.jsonl"), *root.rglob("*.arrow")]
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def build(root: Path, seed: int) -> Path:
    synthetic_vsr.build(root, seed=seed, rows=SMALL)
    return root


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    first, again, other = (hashes(build(tmp_path / name, seed)) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert len(first) == sum(SMALL.values()) + 3 + 3
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first if name.endswith(".jsonl"))


def test_default_splits_share_no_layout_and_repeat_none() -> None:
    layouts = {s: [item.scene.layout for item in draw_split(s, DEFAULT_ROWS[s], seed=0)] for s in POOLS}
    for split, scenes in layouts.items():
        assert len(set(scenes)) == len(scenes)
        assert {pool_of(layout) for layout in scenes} == {split}
    assert not set(layouts["train"]) & (set(layouts["validation"]) | set(layouts["test"]))
    assert not set(layouts["validation"]) & set(layouts["test"])


@pytest.mark.parametrize("split", POOLS)
def test_labels_are_balanced_within_each_relation(split: str) -> None:
    records = [item.record for item in draw_split(split, DEFAULT_ROWS[split], seed=1)]
    counts = Counter((record.relation, record.label) for record in records)
    assert {relation for relation, _ in counts} == set(RELATIONS)
    assert len(set(counts.values())) == 1


def test_labels_agree_with_the_stored_pictures(tmp_path: Path) -> None:
    root = build(tmp_path / "data", seed=5)
    caption = re.compile(r"The (\w+) \w+ is (left of|right of|above|below) the (\w+) \w+\.")
    for line in (root / "train.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        first, relation, second = caption.fullmatch(row["caption"]).groups()
        picture = np.asarray(Image.open(root / row["image_path"]))
        assert row["relation"] == relation
        assert true_in_picture(picture, relation, first, second) is bool(row["label"])


def test_rows_follow_the_contract_and_keep_vsr_columns(tmp_path: Path) -> None:
    root = build(tmp_path / "data", seed=5)
    rows = dataset.load(root, "validation")
    assert len(rows) == SMALL["validation"]
    for row in rows:
        assert set(row.meta) == {"image_path", "caption", "label", "relation", "subj", "obj"}
        assert row.problem == f"Is the following statement true: {row.meta['caption']}"
        assert row.solution == f"<answer> {bool(row.meta['label'])} </answer>"
        assert row.images == (row.meta["image_path"],)
        assert (root / row.images[0]).is_file()


@pytest.mark.parametrize("rows", [0, 1201])
def test_a_split_that_cannot_be_drawn_is_refused(rows: int) -> None:
    with pytest.raises(UserError, match=f"--validation {rows}: give 1 to 1200 rows"):
        draw_split("validation", rows, seed=0)


def test_command_refuses_a_folder_of_another_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--out", str(tmp_path / "d"), "--train", "8", "--validation", "8", "--test", "8"]
    synthetic_vsr.main([*arguments, "--seed", "1"])
    with pytest.raises(SystemExit) as ended:
        synthetic_vsr.main([*arguments, "--seed", "2"])
    assert ended.value.code == 2
    assert "belongs to another run (seed: 1 there, 2 asked)" in capsys.readouterr().err
