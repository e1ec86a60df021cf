"""`python -m vlm_grpo.attention` on the embedded model that reads digits: page, figures, animation, mistakes."""

import json
import shutil
import subprocess

import pytest
from PIL import Image

from vlm_grpo.attention import __main__ as command
from vlm_grpo.store import manifest
from vlm_grpo.tasks.digits import build

ROW = "digits/test/00002-list"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "data"
    build.main(["--out", str(folder), "--train", "3", "--validation", "3", "--test", "4"])
    return folder


@pytest.fixture(scope="module")
def words(data):
    start = ["--model", "embedded:qwen2_5_vl_digits", "--data", str(data), "--split", "test"]
    return [*start, "--max_new_tokens", "60", "--dtype", "float32"]


@pytest.fixture(scope="module")
def folder(words, tmp_path_factory):
    out = tmp_path_factory.mktemp("look") / "out"
    command.main([*words, "--row", ROW, "--out", str(out), "--animate", "gif"])
    return out


def test_figures(folder):
    figures = json.loads((folder / "attention.json").read_text())
    assert "".join(figures["tokens"]).startswith("<think>")
    assert len(figures["cells"]) == 16
    for picture, prompt, own, cells in zip(
        figures["on_picture"], figures["on_prompt"], figures["on_completion"], figures["on_cells"], strict=True
    ):
        assert picture + prompt + own == pytest.approx(1, abs=1e-4)
        assert sum(cells) == pytest.approx(picture, abs=1e-4)
    written = manifest.read(folder, kind="attention")
    assert written["counts"]["tokens"] == len(figures["tokens"])
    with Image.open(folder / "attention.gif") as frames:
        assert frames.n_frames == len(figures["tokens"])


def test_the_page_fetches_nothing(folder):
    page = (folder / "index.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") == 1


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here")
def test_the_page_in_a_browser(folder, tmp_path):
    page = tmp_path / "page.html"
    key = 'document.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));'
    page.write_text((folder / "index.html").read_text().replace("show(0);\n", f"show(0); {key} {key}\n"))
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*browser, "--virtual-time-budget=2000", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    figures = json.loads((folder / "attention.json").read_text())
    assert f"token 3 of {len(figures['tokens'])}" in done.stdout
    assert done.stdout.count('class="current"') == 1
    assert f"{100 * figures['on_picture'][2]:.1f} %" in done.stdout


@pytest.mark.parametrize(
    "given, message",
    [
        (["--row", "digits/test/9-list"], "no row 'digits/test/9-list'; there are digits/test/0000"),
        (["--row", ROW, "--layer", "4"], "layer 4: the model's layers are 0 to 3"),
        (["--row", ROW, "--animate", "avi"], "animate"),
        ([], "setting 'row' is missing"),
        (["--row", ROW, "--limit", "3"], "setting 'limit' has no effect"),
        (["--row", ROW, "--run", "nowhere"], "run nowhere: no final"),
    ],
)
def test_mistakes_are_one_line(words, given, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        command.main([*words, *given, "--out", str(tmp_path / "out")])
    assert left.value.code == 2
    *_, line = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_finished_look_is_not_written_over(words, folder, capsys):
    with pytest.raises(SystemExit):
        command.main([*words, "--row", ROW, "--out", str(folder)])
    assert "holds a finished result" in capsys.readouterr().err
