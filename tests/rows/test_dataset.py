from pathlib import Path
from typing import Any

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest


def rows(*images: str, solution: str = "True", **meta: Any) -> list[Row]:
    return [
        Row(id=f"r{i}", images=(image,), problem="Is it?", solution=solution, task="vsr", meta=meta)
        for i, image in enumerate(images)
    ]


def save(root: Path, splits: dict[str, list[Row]], **more: Any) -> None:
    dataset.save(root, splits, source={"name": "test"}, config={}, seconds=1.0, **more)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    train = rows("a.png", "b.png", relation="links von", count=3, share=0.5, note=None, votes=[1, 2], nested={"a": 1})
    test = [Row(id="t", images=(), problem="?", solution={"bbox": [1]}, task="rec")]
    save(tmp_path, {"train": train, "test": test})
    assert dataset.load(tmp_path, "train") == train
    assert dataset.load(tmp_path, "test") == test


def test_the_manifest_counts_rows_solutions_images_and_what_is_shared(tmp_path: Path) -> None:
    dropped = [{"split": "train", "id": "x", "reason": "HTTP 404"}]
    splits = {
        "train": [*rows("a.png", "a.png", "b.png"), rows("c.png", solution="False")[0].model_copy(update={"id": "z"})],
        "validation": rows("b.png", "d.png"),
        "test": rows("e.png"),
    }
    save(tmp_path, splits, dropped=dropped, seeds={"data": 7})
    written = manifest.read(tmp_path, kind=dataset.KIND)
    assert written["counts"] == {"train": 4, "validation": 2, "test": 1}
    assert written["solutions"]["train"] == {"True": 3, "False": 1}
    assert written["images"] == {"train": 3, "validation": 2, "test": 1}
    assert written["shared_images"] == {"train-validation": 1, "train-test": 0, "validation-test": 0}
    assert written["dropped"] == dropped
    assert written["seeds"] == {"data": 7}
    assert written["inputs"]["source"] == {"name": "test"}


def test_empty_splits_and_repeated_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="split 'test' is empty"):
        save(tmp_path, {"train": rows("a.png"), "test": []})
    with pytest.raises(UserError, match="id 'r0' occurs twice"):
        save(tmp_path, {"train": rows("a.png") + rows("b.png")})
    assert not manifest.exists(tmp_path)


@pytest.mark.parametrize("columns", [{}, {"x": 1, "y": 2}, {"x": "text"}])
def test_rows_of_a_split_that_differ_in_columns_are_refused(tmp_path: Path, columns: dict[str, Any]) -> None:
    mixed = rows("a.png", x=1) + [row.model_copy(update={"id": "other"}) for row in rows("b.png", **columns)]
    with pytest.raises(ValueError, match=r"changes when stored|Could not convert"):
        save(tmp_path, {"train": mixed})
    assert not manifest.exists(tmp_path)


def test_saving_again_replaces_what_was_there(tmp_path: Path) -> None:
    save(tmp_path, {"train": rows("a.png"), "test": rows("a.png")})
    save(tmp_path, {"train": rows("b.png")})
    assert dataset.load(tmp_path, "train")[0].images == ("b.png",)
    with pytest.raises(UserError, match="has no split 'test'"):
        dataset.load(tmp_path, "test")


def test_a_save_that_fails_leaves_no_manifest_of_the_former_one(tmp_path: Path) -> None:
    save(tmp_path, {"train": rows("a.png")})
    with pytest.raises(ValueError, match="changes when stored"):
        save(tmp_path, {"train": [*rows("a.png", x=1), Row(id="q", images=(), problem="?", solution="1", task="t")]})
    with pytest.raises(UserError, match="not finished"):
        dataset.load(tmp_path, "train")


def test_loading_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        dataset.load(tmp_path / "none", "train")
    save(tmp_path, {"train": rows("a.png"), "test": rows("b.png")})
    with pytest.raises(UserError, match="has no split 'dev'; it has train, test"):
        dataset.load(tmp_path, "dev")
    for file in (tmp_path / "train").glob("*.arrow"):
        file.write_bytes(b"not arrow")
    with pytest.raises(UserError, match="split 'train' cannot be read"):
        dataset.load(tmp_path, "train")
    for file in (tmp_path / "test").iterdir():
        file.unlink()
    with pytest.raises(UserError, match="split 'test' cannot be read"):
        dataset.load(tmp_path, "test")


def test_a_split_that_was_exchanged_is_noticed(tmp_path: Path) -> None:
    save(tmp_path / "a", {"train": rows("a.png")})
    save(tmp_path / "b", {"train": rows("b.png")})
    for file in (tmp_path / "a" / "train").iterdir():
        file.unlink()
    for file in (tmp_path / "b" / "train").iterdir():
        file.rename(tmp_path / "a" / "train" / file.name)
    with pytest.raises(UserError, match="differs from its manifest"):
        dataset.load(tmp_path / "a", "train")


def test_a_moved_data_set_still_loads(tmp_path: Path) -> None:
    save(tmp_path / "here", {"train": rows("a.png")})
    (tmp_path / "here").rename(tmp_path / "there")
    assert len(dataset.load(tmp_path / "there", "train")) == 1


def test_the_fingerprint_tells_order_and_content_apart() -> None:
    two = rows("a.png", "b.png")
    assert dataset.fingerprint(two) == dataset.fingerprint(list(two))
    assert dataset.fingerprint(two) != dataset.fingerprint(two[::-1])
    assert dataset.fingerprint(two) != dataset.fingerprint(rows("a.png", "b.png", x=1))


def named(split: str, *images: str, **changed: Any) -> list[Row]:
    return [row.model_copy(update={"id": f"{split}-{row.id}", **changed}) for row in rows(*images)]


def test_splits_join_with_each_question_once(tmp_path: Path) -> None:
    validation, test = named("v", "a.png", "b.png", "b.png"), named("t", "b.png", "c.png")
    save(tmp_path, {"validation": validation, "test": test})
    assert dataset.load(tmp_path, "validation+test") == [*validation, test[1]]
    assert dataset.load(tmp_path, "test+validation") == [*test, validation[0]]
    assert dataset.stored_rows(tmp_path, "validation+test") == 5


@pytest.mark.parametrize(
    "test, asked, message",
    [
        (named("t", "b.png"), "validation+validation", "names a split twice"),
        (named("t", "b.png"), "validation+tset", "has no split 'tset'"),
        (named("t", "a.png", solution="False"), "validation+test", "row 't-r0' asks what row 'v-r0' of another split"),
        (named("v", "b.png"), "validation+test", "id 'v-r0' is one row of 'validation' and another of 'test'"),
    ],
)
def test_splits_that_cannot_be_joined(tmp_path: Path, test: list[Row], asked: str, message: str) -> None:
    save(tmp_path, {"validation": named("v", "a.png"), "test": test})
    with pytest.raises(UserError, match=message):
        dataset.load(tmp_path, asked)
