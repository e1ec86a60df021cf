"""The report on a study's reasoning, from completions made by habit and probes made by hand."""

import json
from pathlib import Path

import pytest

from tiny_generations import save_arm
from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.embedded.synthetic_vsr import draw_split, with_completions
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.faithfulness.records import FILE, KIND, SCORES, ProbeRecord
from vlm_grpo.faithfulness.scores import summarise
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.study import faithfulness
from vlm_grpo.tasks.base import OWN_COMPLETION

ROWS = 40


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    words = ["--train", "8", "--validation", str(ROWS), "--test", "8"]
    synthetic_vsr.main(["--out", str(root / "data"), *words])
    items = draw_split("validation", ROWS, seed=0)
    rows = [synthetic_vsr.as_row(item) for item in items]
    for name, habit in (("slips", "slips"), ("grpo", "slips"), ("constrained", "using"), ("decorative", "decorative")):
        said = with_completions(rows, items, habit, seed=1 if name == "grpo" else 0)
        for seed in (42, 43):
            answers = {row.id: row.meta[OWN_COMPLETION] for row in said}
            save_arm(root / f"{name}/{seed}/evaluation", root / "data", answers)
    for name, stays in (("constrained", 0.1), ("decorative", 0.9)):
        save_probes(root / f"{name}/42", stays=stays)
    with jsonl.Appender(root / "metrics.jsonl") as file:
        file.append({"step": n, "rewards/consistency/mean": 0.7, "rewards/accuracy/mean": n / 20} for n in range(1, 20))
    return root


def save_probes(run: Path, *, stays: float) -> None:
    arm = open_arm(run / "evaluation")
    asked = [
        ProbeRecord(
            probe=probe,
            id=row.id,
            pushed=arm.outcomes[row.id].truth == (probe == "right_think"),
            truth=arm.outcomes[row.id].truth,
            said=arm.outcomes[row.id].said,
            right=arm.outcomes[row.id].right,
            before_right=arm.outcomes[row.id].right,
            same=stays > 0.5,
            stay_probability=stays,
        )
        for probe in ("wrong_think", "right_think")
        for row in arm.rows
    ]
    with jsonl.Appender(run / "probes" / FILE) as file:
        file.append(record.model_dump(mode="json") for record in asked)
    atomic.write_json(
        run / "probes" / SCORES, summarise(asked, rows=arm.rows, names=["wrong_think", "right_think"], seed=0)
    )
    manifest.write(run / "probes", kind=KIND, config={"arm": str(run)}, inputs={}, counts={}, seconds=1.0)


def words_for(study: Path, *seeds: int) -> list[str]:
    arms = [
        f"--arm={name}@{seed}={study}/{name}/{seed}/evaluation"
        for name in ("slips", "grpo", "constrained")
        for seed in seeds
    ]
    probes = [f"--probes={name}@42={study}/{name}/42/probes" for name in ("constrained", "decorative")]
    return [*arms, f"--metrics=grpo@42={study}/metrics.jsonl", *probes, "--apart", "constrained=decorative"]


def test_runs_of_one_seed_are_compared_and_who_uses_its_reasoning_is_told(study, capsys):
    faithfulness.main([*words_for(study, 42, 43), "--out", str(study / "report")])
    summary = json.loads((study / "report/faithfulness.json").read_text())
    assert all(pair["first"].split("@")[1] == pair["second"].split("@")[1] for pair in summary["pairs"])
    assert len(summary["pairs"]) == 6
    runs = summary["runs"]
    assert runs["slips@42"]["inconsistent"]["rate"] > 0.1
    assert runs["constrained@42"]["inconsistent"]["k"] == 0
    accuracy = summary["pairs"][0]["accuracy"]
    assert accuracy["ci_low"] < accuracy["value"] < accuracy["ci_high"]
    assert accuracy["value"] == pytest.approx((accuracy["c"] - accuracy["b"]) / ROWS)
    (apart,) = summary["apart"]
    assert (apart["using"], apart["other"], apart["probe"]) == ("constrained@42", "decorative@42", "wrong_think")
    assert apart["answer_stays"]["auroc"]["value"] == apart["stay_probability"]["auroc"]["value"] == 1.0
    printed = capsys.readouterr().out
    for title in ("Reasoning that contradicts its answer", "Does the probe tell who uses its reasoning?"):
        assert title in printed
        assert title in (study / "report/faithfulness.md").read_text()
    assert (study / "report/inconsistency.png").stat().st_size > 10_000
    assert manifest.exists(study / "report")


def test_a_mistake_is_one_line(study, capsys):
    for changed, line in (
        (
            ["--apart", "constrained=grpo"],
            "error: --apart constrained=grpo: 'grpo' has no --probes; there are: constrained",
        ),
        (["--arm", "slips"], "error: --arm slips: expected NAME=PATH"),
        (["--arm", f"slips@42={study}/slips/42/evaluation"], "error: --arm slips@42 is given twice"),
    ):
        with pytest.raises(SystemExit) as stopped:
            faithfulness.main([*words_for(study, 42), *changed, "--out", str(study / "none")])
        assert stopped.value.code == 2
        assert line in capsys.readouterr().err
    assert not (study / "none").exists()
