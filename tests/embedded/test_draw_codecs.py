"""What codecs keep of masks is drawn, and measured, on the tiny data set."""

import pytest

from refusals import refusal
from vlm_grpo.embedded import draw_codecs, tiny_grounding

SMALL = {"train": 1, "validation": 1, "test": 3}


def test_every_codec_is_drawn_and_told_apart(tmp_path, capsys):
    tiny_grounding.build(tmp_path / "data", kind="masks", seed=0, rows=SMALL)
    page = tmp_path / "codecs.html"
    draw_codecs.main(["--data", str(tmp_path / "data"), "--out", str(page)])
    said = capsys.readouterr().out
    kept = {name: float(said.partition(f"{name} ")[2][:5]) for name in draw_codecs.CODECS}
    assert 0.3 < kept["cosine8"] < kept["polygon"] == pytest.approx(1, abs=0.03)
    assert page.read_text().count("<svg") == SMALL["test"] * (1 + len(kept))


def test_rows_of_another_task_are_refused(tmp_path, capsys):
    tiny_grounding.build(tmp_path / "data", kind="rec", seed=0, rows=SMALL)
    words = ["--data", tmp_path / "data", "--out", tmp_path / "codecs.html"]
    assert "its rows are of the task rec, not of masks" in refusal(capsys, draw_codecs.main, words)
