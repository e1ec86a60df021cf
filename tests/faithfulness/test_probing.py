"""The command on real checkpoints: an arm that reasons and arms of every family are probed, killed and resumed."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.faithfulness import __main__ as command
from vlm_grpo.faithfulness import records
from vlm_grpo.faithfulness.asking import open_asker
from vlm_grpo.faithfulness.probes import PROBES, Variant
from vlm_grpo.store import jsonl, manifest

ROWS = 16


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded base on a few rows of its own data: it guesses most, and reasons on what is above."""
    root = tmp_path_factory.mktemp("faithfulness")
    words = ["--train", "8", "--validation", "8", "--test", str(4 * ROWS)]
    synthetic_vsr.main(["--out", str(root / "data"), "--seed", "0", *words])
    settings = EvaluationArguments(
        model="embedded:qwen2_5_vl",
        data=str(root / "data"),
        out=str(root / "base"),
        split="test",
        limit=ROWS,
        max_new_tokens=40,
    )
    evaluate(settings)
    return root / "base"


@pytest.fixture(scope="module")
def probed(arm: Path) -> Path:
    out = arm.parent / "probes"
    command.main(["--arm", str(arm), "--out", str(out)])
    return out


def test_what_is_put_into_its_mouth_decides_what_it_answers(probed):
    probes = json.loads((probed / "faithfulness.json").read_text())["probes"]
    assert list(probes) == [name for name in PROBES if name != "early_answering"]
    assert probes["right_think"]["right"]["rate"] > 0.9
    assert probes["wrong_think"]["pushed"]["rate"] > 0.8
    assert probes["wrong_think"]["right"]["rate"] < 0.2
    assert probes["wrong_think"]["holm_p"] >= probes["wrong_think"]["mcnemar_p"]
    assert probes["mistake"]["n"] + sum(probes["mistake"]["missing"].values()) == ROWS
    assert probes["stop_think"]["auroc"]["n"] == ROWS


def test_how_likely_the_answer_before_still_is_goes_with_whether_it_stays(probed):
    asked = [record for record in records.read(probed) if record.missing is None]
    pushed = [record for record in asked if record.pushed is not None and record.stay_probability is not None]
    assert {record.probe for record in pushed} >= {"wrong_think", "right_think", "wrong_caption"}
    assert len([record for record in pushed if record.probe == "wrong_think"]) == ROWS
    assert all((record.stay_probability > 0.5) == record.same for record in pushed)
    assert all(record.stay_probability is None for record in asked if record.pushed is None)


def test_a_whole_thought_leads_to_the_same_answer(probed):
    curve = json.loads((probed / "faithfulness.json").read_text())["early_answering"]
    assert curve["n"] == ROWS
    assert curve["points"][-1]["same"]["rate"] == 1
    rates = [point["same"]["rate"] for point in curve["points"]]
    area = 1 - sum((a + b) / 8 for a, b in pairwise(rates))
    assert curve["area_over"]["value"] == pytest.approx(area)


def test_tables_and_figures_are_written(probed):
    assert "wrong_think_but" in (probed / "probes.md").read_text()
    assert (probed / "probes.png").stat().st_size > 10_000
    assert (probed / "survival.png").stat().st_size > 10_000


def texts_of(asked: dict[Any, records.ProbeRecord]) -> dict[Any, records.ProbeRecord]:
    """The records less a probability, whose last digits depend on how long the other rows of its batch are."""
    return {key: record.model_copy(update={"stay_probability": None}) for key, record in asked.items()}


def test_a_killed_run_asks_for_what_is_missing_only(probed, arm, capsys):
    whole = {record.key: record for record in records.read(probed)}
    path = probed / records.FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]) + lines[-1][:20])
    manifest.withdraw(probed)
    capsys.readouterr()
    command.main(["--arm", str(arm), "--out", str(probed)])
    left = len(whole) - len(lines) // 2
    assert f"probes: {left}/{left}," in capsys.readouterr().err
    again = {record.key: record for record in records.read(probed)}
    assert texts_of(again) == texts_of(whole)
    likely = {key: record.stay_probability for key, record in whole.items() if record.stay_probability is not None}
    assert {key: again[key].stay_probability for key in likely} == pytest.approx(likely, abs=1e-5)
    assert path.read_bytes().startswith(b"".join(lines[: len(lines) // 2]))
    command.main(["--arm", str(arm), "--out", str(probed)])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "family, use_cache",
    [("tiny_qwen", "true"), ("tiny_smolvlm", "false"), ("tiny_smolvlm", "true"), ("tiny_internvl", "true")],
)
def test_every_family_is_asked_killed_and_resumed(family, use_cache, request, tiny_data, tmp_path):
    """They speak gibberish, so that their own thoughts cannot be cut; others are put into their mouths."""
    model = request.getfixturevalue(family)
    settings = {"data": str(tiny_data), "split": "test", "max_new_tokens": 4, "use_cache": use_cache}
    evaluate(EvaluationArguments(model=str(model), out=str(tmp_path / "arm"), **settings))
    names = ["stop_think", "wrong_think", "wrong_caption", "early_answering", "blank_picture", "other_picture"]
    words = ["--arm", str(tmp_path / "arm"), "--probe", *names, "--out"]
    command.main([*words, str(tmp_path / "out")])
    whole = {record.key: record for record in records.read(tmp_path / "out")}
    asked = [record for record in whole.values() if record.missing is None]
    assert {record.probe for record in asked} == set(names) - {"early_answering"}
    assert all(record.text.startswith("<think> All in all") for record in asked if record.probe == "wrong_think")
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "out", killed)
    manifest.withdraw(killed)
    lines = (killed / records.FILE).read_bytes().splitlines(keepends=True)
    kept = len(lines) // 2
    (killed / records.FILE).write_bytes(b"".join(lines[:kept]) + lines[kept][:9])
    command.main([*words, str(killed)])
    assert {record.key: record for record in records.read(killed)} == whole
    assert json.loads((killed / "faithfulness.json").read_text()) == json.loads(
        (tmp_path / "out" / "faithfulness.json").read_text()
    )


def test_beginnings_read_once_change_nothing(arm, probed):
    """In float32, on the whole run: the texts of the probes that shared a trunk are those of each read by itself."""
    evaluated = open_arm(arm)
    asker = open_asker(evaluated, shares=False)
    rows = {row.id: row for row in evaluated.rows}
    shared = [record for record in records.read(probed) if record.prefill]
    variants = [Variant(row=rows[record.id], prefill=record.prefill) for record in shared]
    said = [text for batch in asker.answers(variants) for _, text in batch]
    assert said == [record.text for record in shared]


def test_a_judges_mistakes_serve_where_no_rule_makes_one(arm, tmp_path):
    texts = {id: generation.text for id, generation in open_arm(arm).generations.items()}
    id = next(id for id, text in texts.items() if "column" not in text and "row" not in text)
    line = {"id": id, "before": "", "mistake": "I will look.", "missing": None, "judge": "somebody"}
    jsonl.write(tmp_path / "mistakes.jsonl", [line])
    words = ["--arm", str(arm), "--probe", "mistake", "--out", str(tmp_path / "out")]
    command.main([*words, "--mistakes", str(tmp_path / "mistakes.jsonl")])
    written = {record.id: record for record in records.read(tmp_path / "out")}
    assert written[id].prefill == "<think> I will look."
    assert [record.id for record in written.values() if record.judge == "somebody"] == [id]
    assert "changed by somebody, the others by rule" in (tmp_path / "out" / "probes.md").read_text()
    with pytest.raises(SystemExit):
        command.main(words)


def test_mistakes_are_one_line(arm, tmp_path, capsys):
    out = str(tmp_path / "out")
    for words, message in (
        (["--arm", str(arm), "--probe", "wrong_thing", "--out", out], "unknown probe 'wrong_thing'; known: stop_think"),
        (["--arm", str(tmp_path), "--out", out], "is not finished"),
        (["--arm", str(arm), "--out", str(arm)], "choose another folder"),
        (["--arm", str(arm), "--limit", "0", "--out", out], "--limit 0 is out of range"),
    ):
        with pytest.raises(SystemExit) as exit:
            command.main(words)
        assert exit.value.code == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "setting, value, message",
    [("temperature", 1.0, "so its answers change by themselves"), ("environment", "double_check", "a probe asks once")],
)
def test_another_run_in_the_folder_and_arms_that_cannot_be_probed_are_refused(
    setting, value, message, probed, arm, tmp_path, capsys
):
    with pytest.raises(SystemExit):
        command.main(["--arm", str(arm), "--seed", "1", "--out", str(probed)])
    assert "belongs to another run" in capsys.readouterr().err
    written = manifest.read(arm)
    copy = tmp_path / "sampled"
    copy.mkdir()
    for file in arm.iterdir():
        if file.is_file() and file.name != ".lock":
            (copy / file.name).write_bytes(file.read_bytes())
    written["config"][setting] = value
    (copy / manifest.MANIFEST).write_text(json.dumps(written))
    with pytest.raises(SystemExit):
        command.main(["--arm", str(copy), "--out", str(tmp_path / "out")])
    assert message in capsys.readouterr().err
    assert jsonl.read(copy / "generations.jsonl")
