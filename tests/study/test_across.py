"""Evaluations of a study side by side: paired where both ask the same, else two samples; published figures."""

import json
from pathlib import Path

import pytest

from refusals import refusal
from tiny_data import save_tiny_data, tiny_rows
from tiny_generations import save_tiny_arm
from vlm_grpo.statistics.intervals import newcombe, newcombe_paired
from vlm_grpo.statistics.paired import holm, mcnemar_exact
from vlm_grpo.store import manifest
from vlm_grpo.study import across

HOME = {"base": range(6), "sft": range(10), "grpo": range(12)}
REAL = {"base": range(1, 7), "sft": range(6), "grpo": range(2, 12)}


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    """What is read of three reports: at home, on other pictures of its rows, on eight rows that sft is not asked."""
    root = tmp_path_factory.mktemp("across")
    home, real = (save_tiny_data(root / name / "data") for name in ("home", "real"))
    others = [row.model_copy(update={"id": f"other-{row.id}"}) for row in tiny_rows(8)]
    other = save_tiny_data(root / "other" / "data", validation=others)
    for name, data, said in (
        ("home", home, HOME),
        ("real", real, REAL),
        ("other", other, {"base": range(4), "grpo": range(6)}),
    ):
        runs = {run: save_tiny_arm(root / name / run, data, right=right) for run, right in said.items()}
        config = {"arms": {run: str(folder) for run, folder in runs.items()}}
        manifest.write(root / name / "results", kind="study", config=config, inputs={}, counts={}, seconds=0)
    return root


def words(reports: Path, out: Path, *more: str) -> list[str]:
    return [f"--report={name}={reports / name / 'results'}" for name in ("home", "real", "other")] + [
        "--out",
        str(out),
        *more,
    ]


def test_gaps_are_paired_where_the_questions_are_the_same(reports, tmp_path, capsys):
    across.main(words(reports, tmp_path / "out"))
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    gaps = {(gap["run"], gap["evaluation"]): gap for gap in summary["gaps"]}
    assert list(gaps) == [("base", "real"), ("sft", "real"), ("grpo", "real"), ("base", "other"), ("grpo", "other")]

    sft = gaps["sft", "real"]
    assert (sft["is_paired"], sft["b"], sft["c"], sft["value"]) == (True, 4, 0, pytest.approx(-4 / 12))
    assert (sft["ci_low"], sft["ci_high"]) == pytest.approx(newcombe_paired(6, 4, 0, 2))
    assert sft["mcnemar_p"] == mcnemar_exact(4, 0) == 0.125
    tests = [gaps[run, "real"]["mcnemar_p"] for run in HOME]
    assert [gaps[run, "real"]["holm_p"] for run in HOME] == holm(tests)

    grpo = gaps["grpo", "other"]
    assert (grpo["is_paired"], grpo["mcnemar_p"], grpo["value"]) == (False, None, pytest.approx(6 / 8 - 1))
    assert (grpo["ci_low"], grpo["ci_high"]) == pytest.approx(newcombe((12, 12), (6, 8)))

    told = capsys.readouterr().out
    assert "other rows: two samples" in told
    assert (tmp_path / "out/summary.md").read_text().count("| sft |") == 2
    assert manifest.read(tmp_path / "out", kind="across")["counts"] == {"evaluations": 3, "runs": 3}


def test_published_figures_stand_beside_ours(reports, tmp_path):
    published = ("--published=sft/real=0.468", "--published=grpo/real=0.482")
    across.main(words(reports, tmp_path / "out", *published))
    accuracies = across.all_tables(json.loads((tmp_path / "out/summary.json").read_text()))[0]
    assert accuracies.header == (
        "run",
        "home (95 % interval)",
        "real (95 % interval)",
        "real, published",
        "other (95 % interval)",
    )
    assert [row[3] for row in accuracies.rows] == ["–", "0.468", "0.482"]
    assert [row[4][:5] for row in accuracies.rows] == ["0.500", "–", "0.750"]


@pytest.mark.parametrize(
    "word, why",
    [
        ("--report=home=elsewhere", "write EVALUATION=DIR, each evaluation once"),
        ("--report=elsewhere", "write EVALUATION=DIR"),
        ("--published=sft/rael=0.5", "write ARM/EVALUATION=SHARE; evaluations: home, real, other"),
        ("--published=sft/real=46.8", "is no share; give a fraction from 0 to 1"),
    ],
)
def test_a_mistake_is_one_line(reports, tmp_path, capsys, word, why):
    assert why in refusal(capsys, across.main, words(reports, tmp_path / "out", word))
    assert not (tmp_path / "out").exists()
