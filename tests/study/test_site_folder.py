"""The pages' folder without a browser: whole, bounded, of texts and never of markup, and nothing from outside."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_study import STEPS, save_boxes, save_odd_names, save_page_study, save_training
from PIL import Image

from refusals import refusal
from tiny_data import save_tiny_data
from tiny_generations import save_arm, save_tiny_arm
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.study.page import main
from vlm_grpo.study.report import report
from vlm_grpo.study.site import chunks
from vlm_grpo.study.site.graph import HEIGHT, graph
from vlm_grpo.study.site.notes import notes
from vlm_grpo.study.site.overview import overview
from vlm_grpo.study.site.pictures import Shelf
from vlm_grpo.study.site.rollouts import spread
from vlm_grpo.study.site.source import open_source


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    results = save_page_study(tmp_path_factory.mktemp("study"))
    main([str(results)])
    return results


def data_of(results, name):
    text = (results / "site" / "data" / f"{name}.js").read_text(encoding="utf-8")
    called = re.fullmatch(r'site\.put\("([\w-]+)",(.*)\);\n', text, re.DOTALL)
    assert called is not None
    assert called[1] == name
    return json.loads(called[2])


def test_what_a_page_names_is_in_the_folder(results):
    pages = [results / "index.html", *(results / "site").glob("*.html")]
    assert {page.stem for page in pages} == {"index", "training", "rollouts", "answers", "probes", "provenance"}
    for page in pages:
        for address in re.findall(r'(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8")):
            if not address.startswith(("#", "data:")):
                assert (page.parent / unquote(address.partition("#")[0])).exists(), (page, address)


def test_every_figure_can_be_taken_away_in_each_form(results):
    files = {path.name for path in (results / "site" / "figures").iterdir()}
    for figure in ("accuracy", "reward", "slices", "training"):
        assert {f"{figure}.{suffix}" for suffix in ("pdf", "png", "csv", "tex")} <= files
    assert {"pairs.csv", "pairs.tex", "verdicts.csv", "verdicts.tex"} <= files
    logged = (results / "site" / "figures" / "reward.csv").read_text().splitlines()
    assert len(logged) == 1 + 2 * STEPS, "both trainings log a reward"
    page = (results / "site" / "provenance.html").read_text()
    assert all(f"figures/{name}" in page for name in files)


def test_nothing_is_fetched_from_outside_and_no_script_stands_in_a_page(results):
    ours = [
        p for p in (results / "site").rglob("*") if p.suffix in (".html", ".css", ".js") and "vendor" not in p.parts
    ]
    for path in [results / "index.html", *ours]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|\bfetch\(|eval\(|innerHTML|insertAdjacentHTML", text), path
        assert not re.search(r"<script(?![^>]* src=)|\son\w+=|\sstyle=", text) or path.suffix == ".js", path


def test_texts_of_models_and_users_are_no_markup(results):
    assert "&lt;i&gt;reason&lt;/i&gt;" in (results / "index.html").read_text(encoding="utf-8")
    assert "<i>" not in (results / "index.html").read_text(encoding="utf-8")
    raw = (results / "site" / "data" / "answers-000.js").read_text(encoding="utf-8")
    assert "<" not in raw
    assert "\u2028" not in raw
    assert "onerror" in data_of(results, "answers-000")["rows"][0]["said"]["sft"]["text"]


def test_the_columns_of_the_list(results):
    index = data_of(results, "answers")
    assert index["marks"]["base"] == "r" * 6 + "w" * 6
    assert index["marks"]["grpo"] == "r" * 12
    relations = index["slices"][0]
    assert [relations["values"][place] for place in relations["of"][:3]] == ["left of", "above", "on top of"]
    verdicts = index["verdicts"]["grpo"]
    assert [verdicts["values"][place] for place in verdicts["of"]] == ["contradiction", *["aligned"] * 11]
    assert index["problems"][:2] == ["… here.", "… The red circle is here."]


def test_the_index_of_rollouts_counts_what_the_texts_say(results):
    (run,) = data_of(results, "rollouts")
    assert run["run"] == "grpo"
    assert len(run["groups"]) == 2 * STEPS
    chunk = data_of(results, "rollouts-0-000")
    for step, row, _mean, reach, right, unparsed, _cut, _probes, number, place in run["groups"]:
        assert number == 0
        said = chunk["groups"][place]
        assert all(f"step{step} " in one["text"] for one in said)
        assert unparsed == sum(one["answer"] is None for one in said)
        truth = chunk["rows"][str(row)]["truth"]
        assert right == sum(one["answer"] == truth for one in said)
        sums = [sum(reward or 0 for reward in one["rewards"]) for one in said]
        assert reach == max(sums) - min(sums)


def test_the_manifest_is_last_and_tells_the_size(results, capsys):
    written = manifest.read(results / "site", kind="site")
    assert written["counts"]["rows"] == 12
    before = {path: path.stat().st_mtime_ns for path in (results / "site" / "data").iterdir()}
    main([str(results)])
    assert {path: path.stat().st_mtime_ns for path in before} == before, "unchanged data is left alone"
    assert re.search(r"page: .*index\.html \(\d+\.\d MB, \d+\.\d MB of it pictures\)", capsys.readouterr().out)


def test_the_size_is_bounded_by_what_the_user_says(results, tmp_path, capsys):
    message = refusal(capsys, main, [results, "--out", tmp_path / "out", "--size-mb", "0"])
    assert "--rollout-steps" in message
    assert not manifest.exists(tmp_path / "out" / "site")
    main([str(results), "--out", str(tmp_path / "few"), "--rollout-steps", "2"])
    (run,) = data_of(tmp_path / "few", "rollouts")
    assert {group[0] for group in run["groups"]} == {1, STEPS}
    assert run["left"] == STEPS - 2


@given(st.lists(st.integers(0, 10_000), unique=True, min_size=1), st.integers(1, 50))
def test_steps_are_spread_over_the_run(steps, count):
    steps.sort()
    kept = spread(steps, count)
    assert kept <= set(steps)
    assert len(kept) <= max(1, min(count, len(steps)))
    assert steps[-1] in kept
    assert count == 1 or steps[0] in kept


@given(st.text() | st.lists(st.text()))
def test_a_data_file_holds_what_was_put_in(value):
    text = chunks.written("name", value)
    assert "<" not in text
    assert "\u2028" not in text
    json_text = text.removeprefix('site.put("name",').removesuffix(");\n")
    assert json.loads(json_text) == value


@pytest.fixture(scope="module")
def large_pictures(tmp_path_factory):
    return save_odd_names(tmp_path_factory.mktemp("large"))


@pytest.mark.parametrize("mode, whole", [("auto", "pictures/"), ("copy", "pictures/"), ("link", "../../data/")])
def test_whole_pictures_are_copied_or_linked(large_pictures, tmp_path, mode, whole):
    out = large_pictures / mode
    main([str(large_pictures), "--out", str(out), "--pictures", mode])
    chunk = data_of(out, "answers-000")
    (key,) = chunk["pictures"]
    width, height, address = chunk["pictures"][key]
    assert (width, height) == (900, 600)
    assert whole in address
    file = out / "site" / unquote(address)
    with Image.open(file) as picture:
        assert picture.size == (900, 600)
    assert not (out / "site" / "rollouts.html").exists(), "nothing was rolled out"


def test_pictures_beyond_the_room_are_linked_or_left_out(large_pictures, tmp_path):
    main([str(large_pictures), "--out", str(tmp_path / "none"), "--pictures", "none"])
    assert data_of(tmp_path / "none", "answers")["pictures"] == ["", "", ""]
    assert not list((tmp_path / "none" / "site" / "pictures").iterdir())
    arm = open_source(large_pictures).runs["base"]
    shelf = Shelf(tmp_path, mode="auto", longest_side=1280)
    (key,) = {key for row in arm.rows for key in shelf.want(arm.root, row.images)}
    room = 60_000
    shelf.make(room)
    assert shelf.entries([key])[key][2].startswith("../")
    assert shelf.linked == 1
    assert 0 < shelf.bytes < room


def test_what_must_not_be_concluded_comes_from_the_data(results, tmp_path):
    said = notes(open_source(results))
    assert any(note.startswith("One seed trained sft and grpo") for note in said)
    assert any("90% of the groups had no variance" in note for note in said)
    assert any("not been checked against people" in note for note in said)
    assert not any("cannot be read" in note for note in said)
    data = results.parent / "data"
    ids = [row.id for row in dataset.load(data, "validation")]
    half = save_arm(tmp_path / "half", data, {id: None if n % 2 else True for n, id in enumerate(ids)})
    report(tmp_path / "r", runs={"base": results.parent / "base", "odd": half}, metrics={}, stages={}, title="t")
    said = notes(open_source(tmp_path / "r"))
    assert any(note.startswith("odd: 6 of 12 answers cannot be read") for note in said)
    assert any(note.startswith("Not told apart on these rows") for note in said)


def test_the_graph_goes_from_the_base_over_each_arm(tmp_path):
    data = save_tiny_data(tmp_path / "data")
    base = save_tiny_arm(tmp_path / "base", data, right=range(6))
    arms = {"base": base, "sft": base, "sft_grpo": base}
    stages = {
        "train sft": save_training(tmp_path / "sft", data, kind="sft"),
        "merge sft": save_training(tmp_path / "sft_merged", data, kind="merge"),
        "train sft_grpo": save_training(tmp_path / "grpo", data),
    }
    written = json.loads((tmp_path / "grpo" / "manifest.json").read_text())
    written["config"]["model"] = str(tmp_path / "sft_merged")
    (tmp_path / "grpo" / "manifest.json").write_text(json.dumps(written))
    report(tmp_path / "r", runs=arms, metrics={}, stages=stages, title="t")
    shelf = Shelf(tmp_path / "site", mode="none", longest_side=1)
    drawn = overview(open_source(tmp_path / "r"), tmp_path, shelf)["graph"]
    across = {node.name: node.x for node in drawn.nodes}
    assert across["base"] < across["sft"] < across["sft_grpo"]
    assert [edge.label for edge in drawn.edges] == ["sft", "grpo"]


def test_a_training_starts_at_the_base_that_is_asked_as_it_was(tmp_path):
    data = save_tiny_data(tmp_path / "data")
    arms = {name: save_tiny_arm(tmp_path / name, data, right=range(6)) for name in ("base", "base_no_think", "grpo")}
    save_training(tmp_path / "train", data)
    for folder, prompt in (("base", "reason"), ("base_no_think", "no_think"), ("train", "no_think")):
        file = tmp_path / folder / "manifest.json"
        written = json.loads(file.read_text())
        file.write_text(json.dumps(written | {"config": written["config"] | {"model": "one", "prompt": prompt}}))
    report(tmp_path / "r", runs=arms, metrics={}, stages={"train grpo": tmp_path / "train"}, title="t")
    source = open_source(tmp_path / "r")
    drawn = graph(source, dict.fromkeys(source.arms, 0))
    height = {node.name: node.y for node in drawn.nodes}
    assert [float(edge.path.split()[1]) - HEIGHT / 2 for edge in drawn.edges] == [height["base_no_think"]]


def test_answers_are_drawn_and_looks_linked_where_there_are_any(tmp_path):
    results = save_boxes(tmp_path)
    manifest.write(
        results / "attention" / "one", kind="attention", config={"row": "box-1"}, inputs={}, counts={}, seconds=1.0
    )
    main([str(results)])
    assert data_of(results, "answers")["looks"] == {"box-1": "../attention/one/index.html"}
    none, right, other = data_of(results, "answers-000")["rows"]
    assert none["shapes"] == []
    assert right["shapes"] == [{"points": [10, 20, 60, 20, 60, 80, 10, 80]}]
    assert right["said"]["grpo"]["shapes"] == [{"points": [10, 20, 60, 20, 60, 81, 10, 81]}]
    assert right["said"]["grpo"]["credit"] > 0.9
    assert other["said"]["grpo"]["answer"] is None
    assert "shapes" not in other["said"]["grpo"]
    assert none["said"]["base"]["shapes"] == right["said"]["base"]["shapes"]


def test_a_report_that_is_not_there_is_one_line(tmp_path, capsys):
    assert "does not exist" in refusal(capsys, main, [tmp_path / "nothing"])


def test_drawn_answers_of_every_report_of_the_study_are_one_of_its_pages(tmp_path):
    results = save_boxes(tmp_path)
    arms = manifest.read(results)["config"]["arms"]
    report(results / "again", runs={"grpo": Path(arms["grpo"])}, metrics={}, stages={}, title="Again")
    main([str(results)])
    assert 'href="site/drawings.html"' in (results / "index.html").read_text()
    assert 'href="drawings.html"' in (results / "site" / "answers.html").read_text()
    page = (results / "site" / "drawings.html").read_text()
    assert re.findall(r'<section id="(\w+)">', page) == ["rec", "again"]
    assert page.count("<article>") == 3 + 3
    assert page.count("<b>base</b>") == 3
    assert page.count("<b>grpo</b>") == 3 + 3
    assert 'href="../index.html"' in page
