"""Controls: the same questions with other pictures, resumed and compared like any evaluation."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tiny_data import tiny_rows
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import batches, generations
from vlm_grpo.evaluation.__main__ import main
from vlm_grpo.evaluation.controls import compared, shown_instead
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.evaluation.summary import arms_table
from vlm_grpo.store import manifest
from vlm_grpo.tables import to_text
from vlm_grpo.tasks.asking import AskedRow
from vlm_grpo.tasks.base import Outcome


def settings(model, data, out, **changes):
    return EvaluationArguments(model=str(model), data=str(data), out=str(out), **({"max_new_tokens": 4} | changes))


@pytest.fixture(scope="module")
def controlled(tiny_qwen, tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "controlled"
    scores = evaluate(settings(tiny_qwen, tiny_data, folder, controls=["blank", "other"]))
    return folder, scores


def test_no_row_sees_its_own_picture_and_rows_of_one_picture_see_one():
    rows = tiny_rows(12)
    shown = shown_instead(rows, "other", seed=3, where="data")
    assert [row.id for row in shown] == [row.id for row in rows]
    assert all(a.images != b.images and a.problem == b.problem for a, b in zip(rows, shown, strict=True))
    instead = {a.images: b.images for a, b in zip(rows, shown, strict=True)}
    assert set(instead) == set(instead.values())
    assert [instead[row.images] for row in rows] == [row.images for row in shown]
    assert shown == shown_instead(rows, "other", seed=3, where="data")
    assert any(shown != shown_instead(rows, "other", seed=seed, where="data") for seed in range(9))


def test_pictures_are_exchanged_among_rows_of_as_many():
    rows = [row.model_copy(update={"images": row.images * (1 + at // 4)}) for at, row in enumerate(tiny_rows(8))]
    shown = shown_instead([*rows, rows[0].model_copy(update={"images": ()})], "other", seed=0, where="data")
    assert [len(row.images) for row in shown] == [1, 1, 1, 1, 2, 2, 2, 2, 0]


def test_a_single_picture_has_no_other():
    with pytest.raises(UserError, match="data: no picture of another row to show"):
        shown_instead(tiny_rows(1), "other", seed=0, where="data")


def test_a_blank_picture_is_white_and_as_large(tiny_data):
    class Sees:
        def encode(self, processor, texts, images):
            return images

    asked = [AskedRow(row, "?") for row in tiny_rows(2)]
    ((blank,), _) = batches.encode(asked, adapter=Sees(), processor=None, root=tiny_data, is_blank=True)
    with Image.open(Path(tiny_data) / asked[0].row.images[0]) as own:
        assert blank.size == own.size
        assert own.convert("RGB").getcolors() != blank.getcolors()
    assert blank.getcolors() == [(blank.size[0] * blank.size[1], (255, 255, 255))]


def test_each_control_is_an_evaluation_of_its_own(controlled):
    folder, scores = controlled
    own = generations.read(folder)
    for control in ("blank", "other"):
        assert manifest.read(folder / control, kind="evaluation")["control"] == control
        said = generations.read(folder / control)
        assert said.keys() == own.keys()
        assert {line.sampling["control"] for line in said.values()} == {control}
        assert {line.solution for line in said.values()} == {line.solution for line in own.values()}
        assert scores["controls"][control]["n"] == scores["n"] == len(own)
    assert "control" not in next(iter(own.values())).sampling
    others = generations.read(folder / "other")
    assert all(others[id].images != own[id].images for id in own)


def test_the_table_has_the_controls_beside_the_accuracy(controlled):
    _, scores = controlled
    text = to_text(
        arms_table({"grpo": scores, "older": {k: v for k, v in scores.items() if k != "controls"}}, title="T")
    )
    assert "blank pictures" in text
    assert "other pictures" in text
    assert "exact McNemar" in text
    assert "(p " in text


def test_a_finished_evaluation_with_controls_is_not_repeated(controlled, tiny_qwen, tiny_data):
    folder, scores = controlled
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.json*")}
    again = evaluate(settings(tiny_qwen, tiny_data, folder, controls=["blank", "other"]))
    assert again == json.loads(json.dumps(scores))
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.json*")} == before


def test_a_lost_control_is_made_up_for(controlled, tiny_qwen, tiny_data, tmp_path):
    """Killed after its own rows, an evaluation goes on with the controls."""
    folder, scores = controlled
    (folder / "manifest.json").unlink()
    (folder / "other" / "manifest.json").unlink()
    lines = (folder / "other" / generations.FILE).read_bytes().splitlines(keepends=True)
    (folder / "other" / generations.FILE).write_bytes(b"".join(lines[:5]))
    again = evaluate(settings(tiny_qwen, tiny_data, folder, controls=["blank", "other"]))
    assert again["controls"] == scores["controls"]
    assert manifest.exists(folder / "other")


def test_controls_are_given_on_the_command_line_too(controlled, tiny_qwen, tiny_data, capsys):
    folder, _ = controlled
    words = ["--model", str(tiny_qwen), "--data", str(tiny_data), "--out", str(folder), "--max_new_tokens", "4"]
    main([*words, "--controls", "blank", "other"])
    assert "other pictures" in capsys.readouterr().out


def test_an_unknown_control_is_one_line(tmp_path):
    with pytest.raises(UserError, match="unknown controls 'white'; known: blank, other"):
        settings("m", "d", tmp_path, controls=["white"])


def test_the_paired_test_counts_what_only_the_picture_gets_right():
    def outcomes(*right):
        return {str(n): Outcome(True, True, float(one), right=one) for n, one in enumerate(right)}

    told = compared(outcomes(*[True] * 8, False), outcomes(*[False] * 7, True, True), confidence=0.95)
    assert (told["correct"], told["b"], told["c"], told["n"]) == (2, 7, 1, 9)
    assert told["difference"] == pytest.approx(-6 / 9)
    assert told["mcnemar_p"] == pytest.approx(2 * (1 + 8) / 2**8)
