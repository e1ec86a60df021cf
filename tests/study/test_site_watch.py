"""The pages of a training under way, and two studies put together."""

import json

import pytest
from page_study import metrics, rollout, save_page_study, save_training
from playwright.sync_api import expect

from chromium import faults, page_of
from refusals import refusal
from tiny_data import save_tiny_data
from vlm_grpo.rows import dataset
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.study.page import main
from vlm_grpo.study.site.compare import open_both
from vlm_grpo.study.site.folder import Options
from vlm_grpo.study.site.graph import HEIGHT, graph
from vlm_grpo.study.site.watch import Tail, watch

TEXT = "<think> It is. </think> <answer> True </answer>"


def data_of(out, name):
    text = (out / "site" / "data" / f"{name}.js").read_text(encoding="utf-8")
    return json.loads(text.partition(",")[2].removesuffix(");\n"))


@pytest.fixture
def run(tmp_path):
    """A training that has begun: its settings are noted, one step is written and the next one half."""
    data = save_tiny_data(tmp_path / "data")
    row = dataset.load(data, "validation")[0]
    run = tmp_path / "grpo"
    config = {"data": str(data), "split": "validation", "num_generations": 2, "answers": "strict"}
    atomic.write_json(run / "run.json", config)
    with jsonl.Appender(run / "completions.jsonl") as file:
        file.append(rollout(1, row.id, TEXT, place) for place in range(2))
    with (run / "completions.jsonl").open("a") as file:
        file.write('{"step": 2, "row_')
    with jsonl.Appender(run / "metrics.jsonl") as file:
        file.append([metrics(1)])
    return run


def test_a_training_under_way_is_shown_as_far_as_it_is_until_it_is_done(run, tmp_path):
    out, seen = tmp_path / "out", []
    row = dataset.load(tmp_path / "data", "validation")[0]

    def look(written):
        (shown,) = data_of(out, "rollouts")
        seen.append([group[0] for group in shown["groups"]])
        assert len(data_of(out, "training")["charts"][0]["series"][0]["x"]) == len(seen)
        if len(seen) == 1:
            with jsonl.Appender(run / "completions.jsonl") as file:
                file.append(rollout(2, row.id, TEXT, place) for place in range(2))
        else:
            manifest.write(
                run, kind="grpo", config=json.loads((run / "run.json").read_text()), inputs={}, counts={}, seconds=1.0
            )
        with jsonl.Appender(run / "metrics.jsonl") as file:
            file.append([metrics(len(seen) + 1)])

    before = {path.name for path in run.iterdir()}
    watch(run, out, Options(), every=0, tell=look)
    assert seen == [[1], [1, 2], [1, 2]]
    assert {path.name for path in run.iterdir()} == before | {"manifest.json"}, "nothing is left with the run"


def test_a_file_that_became_shorter_is_read_again(tmp_path):
    path = tmp_path / "lines.jsonl"
    jsonl.write(path, [{"n": n} for n in range(5)])
    tail = Tail(path)
    assert len(tail.read_on()) == 5
    jsonl.write(path, [{"n": 7}, {"n": 8}])
    assert [line["n"] for line in tail.read_on()] == [7, 8]
    assert [line["n"] for line in tail.read_on()] == [7, 8]


def test_watched_pages_say_when_there_is_more(run, tmp_path, browser):
    watch(run, tmp_path / "out", Options(), every=0, tell=lambda written: None, times=1)
    with page_of(browser) as page:
        page.clock.install()
        page.goto(f"file://{tmp_path / 'out' / 'site' / 'rollouts.html'}")
        expect(page.locator("#group h2")).to_contain_text("grpo, step 1")
        expect(page.locator("nav a")).to_have_count(2)
        assert faults(page) == []
        with jsonl.Appender(run / "metrics.jsonl") as file:
            file.append([metrics(2)])
        news = page.get_by_role("button", name="There is more")
        page.clock.run_for(20_000)
        expect(news).to_have_count(0)
        watch(run, tmp_path / "out", Options(), every=0, tell=lambda written: None, times=1)
        page.clock.run_for(20_000)
        expect(news).to_be_visible()
        news.click()
        expect(page.locator(".top .dim")).to_have_text("step 2")


def test_two_studies_stand_side_by_side(tmp_path, browser):
    first = save_page_study(tmp_path / "one", title="One")
    second = save_page_study(tmp_path / "two", title="Two")
    main(["--compare", str(first), str(second), "--out", str(tmp_path / "both")])
    with page_of(browser) as page:
        page.goto(f"file://{tmp_path / 'both' / 'index.html'}")
        table = page.get_by_role("region", name="Accuracy on validation")
        expect(table.get_by_role("row")).to_have_count(7)
        expect(table).to_contain_text("results-1:grpo")
        page.get_by_role("link", name="Rollouts").click()
        page.get_by_label("Beside it").select_option(label="results-2:grpo, step 1")
        expect(page.locator("#group h2").nth(1)).to_contain_text("results-2:grpo, step 1")
        page.get_by_role("link", name="Answers").click()
        expect(page.locator("#detail .card")).to_have_count(6)


def test_each_of_two_studies_begins_at_its_own_base(tmp_path):
    folders = [save_page_study(tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        base = manifest.read(folder.parent / "base")["config"]["model"]
        file = folder.parent / "train_grpo" / "manifest.json"
        written = json.loads(file.read_text())
        file.write_text(json.dumps(written | {"config": written["config"] | {"model": base}}))
    both = open_both(*folders)
    drawn = graph(both, dict.fromkeys(both.arms, 0))
    height = {node.name: node.y for node in drawn.nodes}
    starts = [float(edge.path.split()[1]) - HEIGHT / 2 for edge in drawn.edges if edge.label == "grpo"]
    assert starts == [height["results-1:base"], height["results-2:base"]]


def test_what_cannot_be_shown_is_one_line(tmp_path, capsys):
    assert "name one thing to show" in refusal(capsys, main, [])
    assert "is no training" in refusal(capsys, main, ["--watch", tmp_path])
    results = save_page_study(tmp_path / "one")
    both = ["--compare", results, results]
    assert "name their folder with --out" in refusal(capsys, main, both)
    assert "one study, twice" in refusal(capsys, main, [*both, "--out", tmp_path / "out"])
    assert save_training(tmp_path / "sft", tmp_path / "one" / "data", kind="sft").is_dir()
    main(["--watch", str(tmp_path / "sft"), "--out", str(tmp_path / "watched")])
    assert not (tmp_path / "watched" / "site" / "rollouts.html").exists()
