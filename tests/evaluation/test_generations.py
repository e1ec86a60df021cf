import pytest

from tiny_generations import make_generation, make_row
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.generations import Origin
from vlm_grpo.store import jsonl

ROW = make_row(0, True)
GENERATION = make_generation(ROW, True)
SOURCE = Origin(**{name: getattr(GENERATION, name) for name in Origin.model_fields})


def write(folder, *records):
    with jsonl.Appender(folder / generations.FILE) as file:
        file.append(records)
    return folder


def test_what_was_written_is_read(tmp_path):
    write(tmp_path, GENERATION.model_dump(mode="json"))
    assert generations.read(tmp_path) == {"r0": GENERATION}
    assert generations.read(tmp_path / "absent") == {}


def test_a_torn_last_line_is_left_out(tmp_path):
    write(tmp_path, GENERATION.model_dump(mode="json"))
    with (tmp_path / generations.FILE).open("a") as file:
        file.write('{"id": "r1", "spl')
    assert list(generations.read(tmp_path)) == ["r0"]


def test_a_line_with_a_missing_field_is_named(tmp_path):
    record = GENERATION.model_dump(mode="json")
    del record["text"]
    write(tmp_path, GENERATION.model_dump(mode="json"), record)
    with pytest.raises(UserError, match=r"generations.jsonl line 2: field 'text'"):
        generations.read(tmp_path)


def test_a_row_that_occurs_twice_is_named(tmp_path):
    write(tmp_path, *[GENERATION.model_dump(mode="json")] * 2)
    with pytest.raises(UserError, match=r"line 2: row 'r0' occurs twice"):
        generations.read(tmp_path)


def test_the_same_source_passes_under_another_name(tmp_path):
    moved = SOURCE.model_copy(update={"model": "another/path"})
    generations.check_origin({"r0": GENERATION}, moved, hashes={"r0": "h"}, where=tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"split": "test"},
        {"model_fingerprint": "other"},
        {"adapter_fingerprint": "some"},
        {"prompt": "answer"},
        {"sampling": {"temperature": 1.0}},
    ],
)
def test_another_source_is_refused(tmp_path, changes):
    with pytest.raises(UserError, match=f"row 'r0' was generated with {next(iter(changes))}"):
        generations.check_origin(
            {"r0": GENERATION}, SOURCE.model_copy(update=changes), hashes={"r0": "h"}, where=tmp_path
        )


def test_another_row_or_prompt_is_refused(tmp_path):
    with pytest.raises(UserError, match="not in split 'validation'"):
        generations.check_origin({"r0": GENERATION}, SOURCE, hashes={"r9": "h"}, where=tmp_path)
    with pytest.raises(UserError, match="another prompt"):
        generations.check_origin({"r0": GENERATION}, SOURCE, hashes={"r0": "g"}, where=tmp_path)
