import json
import re

import pytest
from PIL import Image

from refusals import refusal
from tiny_data import save_tiny_data, tiny_rows
from tiny_generations import save_tiny_arm
from vlm_grpo.drawing import arm_colour
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.statistics.intervals import wilson
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.study import figures
from vlm_grpo.study.report import main
from vlm_grpo.study.summary import pairs_table, summarise

STEPS = [
    {"step": step, "reward": step / 10, "rewards/accuracy/mean": step / 20, "rewards/format/mean": step / 20}
    for step in range(1, 21)
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Base right on 6 of 12 rows, SFT on 9, GRPO on 12 and, with another seed, on 10; GRPO's metrics."""
    root = tmp_path_factory.mktemp("study")
    data = save_tiny_data(root / "data")
    for name, right in (("base", range(6)), ("sft", range(3, 12)), ("grpo", range(12)), ("grpo7", range(2, 12))):
        save_tiny_arm(root / name, data, right=right)
    with jsonl.Appender(root / "metrics.jsonl") as file:
        file.append([*STEPS, {"step": 20, "train_loss": 0.1}])
    return root


def words(runs, out, *more):
    arms = [f"--arm=base={runs / 'base'}", f"--arm=sft={runs / 'sft'}", f"--arm=grpo@42={runs / 'grpo'}"]
    return [
        *arms,
        f"--arm=grpo@7={runs / 'grpo7'}",
        f"--metrics=grpo@42={runs / 'metrics.jsonl'}",
        f"--stage=data={runs / 'data'}",
        "--out",
        str(out),
        *more,
    ]


@pytest.fixture(scope="module")
def report(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "out"
    main(words(runs, out, "--title", "Study <1>"))
    return out


def test_the_summary(report):
    summary = json.loads((report / "summary.json").read_text())
    assert list(summary["arms"]) == ["base", "sft", "grpo"]
    base, grpo = summary["arms"]["base"], summary["arms"]["grpo"]
    assert (base["n"], base["correct"], base["accuracy"], base["parse_rate"]) == (12, 6, 0.5, 1.0)
    assert (grpo["ci_low"], grpo["ci_high"]) == pytest.approx(wilson(12, 12))
    assert list(summary["pairs"]) == ["base-sft", "base-grpo", "sft-grpo"]
    pairs = {name: (p["b"], p["c"], p["mcnemar_p"], p["holm_p"]) for name, p in summary["pairs"].items()}
    assert pairs["base-grpo"] == pytest.approx((0, 6, 2 / 64, 6 / 64))
    assert pairs["base-sft"] == pytest.approx((3, 6, 0.5078125, 0.5078125))
    assert pairs["sft-grpo"] == pytest.approx((0, 3, 0.25, 0.5))
    assert summary["spread"]["grpo"] == pytest.approx(
        {"runs": 2, "mean": 11 / 12, "sd": 0.11785113, "min": 10 / 12, "max": 1.0}
    )
    assert summary["spread"]["base"]["sd"] is None
    against = summary["runs"]["grpo@7"]["against_first"]
    assert (against["b"], against["c"]) == (2, 6)
    assert summary["runs"]["base"]["against_first"]["mcnemar_p"] == 1.0
    assert set(summary["seconds"]) == {"data", "evaluate base", "evaluate sft", "evaluate grpo@42", "evaluate grpo@7"}
    assert summary["seconds"]["evaluate base"] == 1.5


def test_the_tables(report, runs, tmp_path, capsys):
    main(words(runs, tmp_path / "again"))
    printed = capsys.readouterr().out
    assert re.search(r"^grpo@42 +12 +12 +1\.000 +0\.758 to 1\.000", printed, re.M)
    assert re.search(r"^base-grpo +0 +6 +\+0\.500 +0\.031 +0\.094", printed, re.M)
    text = (report / "summary.md").read_text()
    assert "| grpo | 2 | 0.917 | 0.118 | 0.833 | 1.000 |" in text
    assert "(accuracy.png)" in text
    assert "(reward.png)" in text


def test_pairs_of_graded_arms_show_how_far_their_mean_credits_differ(report):
    summary = json.loads((report / "summary.json").read_text())
    assert len(pairs_table(summary).header) == 6
    summary["pairs"]["base-grpo"]["credit_difference"] = {"value": 0.25, "ci_low": -0.05, "ci_high": 0.5}
    summary["pairs"]["base-sft"]["credit_difference"] = {"value": 0.0, "ci_low": None, "ci_high": None}
    table = pairs_table(summary)
    assert [row[-1] for row in table.rows] == ["+0.000 (–)", "+0.250 (-0.050 to +0.500)", "–"]
    assert len({len(row) for row in table.rows} | {len(table.header)}) == 1


def test_the_report_is_complete_and_repeatable(report, runs, tmp_path):
    names = {"summary.json", "summary.md", "accuracy.png", "reward.png", "examples.html"}
    assert {f.name for f in report.iterdir()} == names | {"manifest.json", "run.json"}
    assert manifest.read(report, kind="study")["counts"] == {"rows": 12, "runs": 4}
    main(words(runs, tmp_path / "again", "--title", "Study <1>"))
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (report / name).read_bytes(), name
    main(words(runs, tmp_path / "again", "--title", "Another"))
    assert "# Another" in (tmp_path / "again" / "summary.md").read_text()


def test_the_figures_show_the_numbers(report):
    for name in ("accuracy.png", "reward.png"):
        with Image.open(report / name) as picture:
            assert min(picture.size) > 300
    summary = json.loads((report / "summary.json").read_text())
    axes = figures.accuracy(summary).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "base\n6/12",
        "sft\n9/12",
        "grpo@42\n12/12",
        "grpo@7\n10/12",
    ]
    whole, parts = figures.rewards({"grpo@42": STEPS}, arms=["base", "grpo"]).axes
    assert list(whole.lines[0].get_ydata()) == [step["reward"] for step in STEPS]
    assert whole.lines[1].get_ydata()[-1] == pytest.approx((1.9 + 2.0) / 2), "the mean over a tenth of the run"
    assert whole.lines[1].get_color() == arm_colour("grpo", ["base", "grpo"])
    assert [text.get_text() for text in parts.get_legend().get_texts()] == ["accuracy", "format"]


def test_the_page_escapes_and_shows_all(runs, tmp_path):
    hostile = "<think> <script>alert(1)</script> & so on </think> <answer> maybe </answer>"
    save_tiny_arm(tmp_path / "hostile", runs / "data", right=(), text=hostile, finish_reason="length")
    arms = [f"--arm=base={runs / 'base'}", f"--arm=odd={tmp_path / 'hostile'}"]
    main([*arms, "--out", str(tmp_path / "out"), "--title", "A <b>"])
    html = (tmp_path / "out" / "examples.html").read_text()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on" in html
    assert "<title>A &lt;b&gt;</title>" in html
    assert html.count("? unparsed · cut off") == 12
    assert html.count("✓") - 1 == 6, "one in the legend"
    assert html.count("✗") - 1 == 6
    assert html.count('src="data:image/png;base64,') == html.count("<img") == 12
    assert not re.search(r"https?://|<link|@import", html)


def test_examples_are_drawn_and_disputed_ones_told_apart(runs, tmp_path):
    main(words(runs, tmp_path / "out", "--examples", "2"))
    html = (tmp_path / "out" / "examples.html").read_text()
    assert "2 rows drawn at random (seed 0)" in html
    assert "2 more on which the arms do not agree" in html
    shown = re.findall(r'<span class="id">(.*?)</span>', html)
    assert len(set(shown)) == len(shown) == 4


def test_a_pair_names_its_arms_whatever_they_are_called(runs, tmp_path):
    main([f"--arm=a-b={runs / 'base'}", f"--arm=$c|d$={runs / 'sft'}", "--out", str(tmp_path / "out")])
    pair = json.loads((tmp_path / "out" / "summary.json").read_text())["pairs"]["a-b-$c|d$"]
    assert (pair["first"], pair["second"]) == ("a-b", "$c|d$")
    assert "| a-b-\\$c\\|d\\$ |" in (tmp_path / "out" / "summary.md").read_text()


def test_metrics_count_without_their_last_newline(runs, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "reward": 0.5}')
    main([f"--arm=base={runs / 'base'}", f"--metrics=base={path}", "--out", str(tmp_path / "out")])
    assert (tmp_path / "out" / "reward.png").exists()


@pytest.mark.parametrize(
    "line",
    ['{"step": null, "reward": 1}', '{"reward": 1}', '{"step": 1, "reward": "x"}', '{"step": 1, "rewards/a/mean": []}'],
)
def test_metrics_that_are_no_numbers_are_one_line(runs, tmp_path, capsys, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 0, "reward": 1}}\n{line}\n')
    message = refused(capsys, [f"--arm=base={runs / 'base'}", f"--metrics=base={path}", "--out", str(tmp_path / "out")])
    assert "metrics.jsonl line 2: step and rewards are numbers" in message


def refused(capsys, arguments):
    return refusal(capsys, main, arguments)


@pytest.mark.parametrize(
    "more, message",
    [
        (("--arm", "base"), "expected NAME=PATH"),
        (("--arm", "base=elsewhere"), "--arm base is given twice"),
        (("--arm", "new=elsewhere"), "elsewhere does not exist"),
        (("--arm", "grpo@07=elsewhere"), "--arm grpo@7 is given twice"),
        (("--arm", "grpo@lr1=elsewhere"), "expected ARM or ARM@SEED"),
        (
            ("--arm", "x-y={runs}/sft", "--arm", "z={runs}/sft", "--arm", "x={runs}/sft", "--arm", "y-z={runs}/sft"),
            "would both be called 'x-y-z'",
        ),
        (("--examples", "-1"), "--examples -1 is out of range"),
        (("--stage", "train=elsewhere"), "elsewhere does not exist"),
        (("--metrics", "dpo={runs}/metrics.jsonl"), "no --arm of that name"),
        (("--metrics", "sft={runs}/sft/generations.jsonl"), "no step with a reward"),
    ],
)
def test_mistakes_are_one_line(runs, tmp_path, capsys, more, message):
    more = [word.format(runs=runs) for word in more]
    assert message in refused(capsys, words(runs, tmp_path / "out", *more))
    assert not (tmp_path / "out").exists()


def test_arms_on_different_rows_are_refused(runs, tmp_path, capsys):
    other = save_tiny_arm(tmp_path / "arm", save_tiny_data(tmp_path / "data", validation=tiny_rows(9)), right=())
    assert "different rows" in refused(capsys, words(runs, tmp_path / "out", f"--arm=new={other}"))


def test_a_folder_of_something_else_is_refused(runs, capsys):
    assert "is not empty" in refused(capsys, words(runs, runs / "base"))


def test_one_arm_alone_has_no_pairs(runs, tmp_path):
    main(["--arm", f"base={runs / 'base'}", "--out", str(tmp_path / "out")])
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["pairs"] == {}
    assert not (tmp_path / "out" / "reward.png").exists()


def test_a_stage_named_as_an_evaluation_is_refused(runs):
    with pytest.raises(UserError, match="evaluation of an arm"):
        summarise({"base": open_arm(runs / "base")}, stages={"evaluate base": runs / "data"})
