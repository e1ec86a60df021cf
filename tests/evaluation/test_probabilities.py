"""Evaluation with probabilities on real checkpoints: against forwards made by hand, killed, resumed, refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_soft_prompt import WORDS, save_tiny_soft_prompt
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.evaluation.probabilities import __main__ as command
from vlm_grpo.evaluation.probabilities import records
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.asking import render

ROWS = 24


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded base on a few rows of its own data: it sees what is above, and guesses the rest."""
    root = tmp_path_factory.mktemp("probabilities")
    synthetic_vsr.main(["--out", str(root / "data"), "--train", "8", "--validation", "8", "--test", str(2 * ROWS)])
    evaluate(
        EvaluationArguments(
            model="embedded:qwen2_5_vl",
            data=str(root / "data"),
            out=str(root / "base"),
            split="test",
            limit=ROWS,
            max_new_tokens=40,
        )
    )
    return root / "base"


@pytest.fixture(scope="module")
def asked(arm: Path) -> Path:
    out = arm.parent / "probabilities"
    command.main(["--arm", str(arm), "--out", str(out), "--bins", "5"])
    return out


def scores(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "probabilities.json").read_text()))


@torch.no_grad()
def by_hand(model: Any, processor: Any, text: str, picture: Any) -> torch.Tensor:
    """Probabilities of the token behind `text`, in a batch of its own."""
    batch = processor(text=[text], images=[picture], return_tensors="pt")
    return model(**batch).logits[0, -1].softmax(dim=-1)


def test_a_greedy_answer_is_the_arg_max(asked, arm):
    """What was generated began with the likeliest token of all, so the two accuracies agree where mass is on words."""
    made, found = open_arm(arm), records.read(asked)
    assert {id: record.said for id, record in found.items()} == {id: one.said for id, one in made.outcomes.items()}
    for id, record in found.items():
        assert made.generations[id].text.partition("<answer>")[2].startswith(record.token)
    summary = scores(asked)
    assert (summary["n"], summary["b"], summary["c"], summary["mcnemar_p"]) == (ROWS, 0, 0, 1.0)
    assert summary["arg_max"]["accuracy"] == summary["generated"]["accuracy"] == made.scores["accuracy"]
    assert 0.99 < summary["mass"]["least"] <= summary["mass"]["value"] <= 1 + 1e-6


def test_the_probabilities_are_those_of_a_forward_by_hand(asked, arm):
    made = open_arm(arm)
    checkpoint = open_checkpoint("embedded:qwen2_5_vl")
    processor, model = checkpoint.load_processor(), checkpoint.load_model(dtype=torch.float32)
    tokenizer = processor.tokenizer
    for row in made.rows[:3]:
        said = made.generations[row.id].text
        (prompt,) = render([row], processor, template="reason")
        text = prompt.text + said[: said.index("<answer>") + len("<answer>")]
        says = by_hand(model, processor, text, open_picture(made.root, row.images[0]))
        ids = {
            word: tokenizer(word, add_special_tokens=False)["input_ids"]
            for word in ("True", " True", "False", " False")
        }
        assert {len(pieces) for pieces in ids.values()} == {1}
        held = {value: float(sum(says[ids[f"{lead}{value}"][0]] for lead in ("", " "))) for value in ("True", "False")}
        assert records.read(asked)[row.id].probabilities == pytest.approx(held, rel=1e-3, abs=1e-6)


def test_what_it_guesses_it_is_not_sure_of(asked):
    """Calibrated by construction: the base was taught coin flips on what it does not read, and the rest as it is."""
    calibration = scores(asked)["calibration"]
    assert [line["n"] for line in calibration["reliability"]] == [
        sum(low < record.confidence <= low + 0.2 for record in records.read(asked).values()) for low in (0.4, 0.8)
    ]
    first, last = calibration["reliability"]
    assert last["accuracy"] == 1.0 > 0.9 > first["accuracy"]
    assert calibration["ece"] == pytest.approx(
        sum(line["n"] * abs(line["accuracy"] - line["confidence"]) for line in calibration["reliability"]) / ROWS
    )


def test_tables_and_figure_are_written(asked):
    written = (asked / "probabilities.md").read_text()
    assert "ECE, 5 bins" in written
    assert "0.80 to 1.00" in written
    assert (asked / "reliability.png").stat().st_size > 10_000


def test_a_killed_run_asks_for_what_is_missing_only(asked, arm, capsys):
    path, before = asked / records.FILE, scores(asked)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:10]) + lines[10][:25])
    manifest.withdraw(asked)
    command.main(["--arm", str(arm), "--out", str(asked), "--bins", "5"])
    assert f"{ROWS - 10}/{ROWS - 10}" in capsys.readouterr().err
    assert path.read_bytes().startswith(b"".join(lines[:10]))
    assert scores(asked)["arg_max"] == before["arg_max"]
    assert scores(asked)["calibration"]["ece"] == pytest.approx(before["calibration"]["ece"], abs=1e-5)
    command.main(["--arm", str(arm), "--out", str(asked), "--bins", "5"])
    assert capsys.readouterr().err == ""


@pytest.fixture(scope="module")
def soft(tiny_qwen: Path, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation behind virtual tokens that are the embeddings of `WORDS`, its pictures blanked once more."""
    root = tmp_path_factory.mktemp("soft")
    save_tiny_soft_prompt(root / "soft", str(tiny_qwen))
    evaluate(
        EvaluationArguments(
            model=str(tiny_qwen),
            adapter=str(root / "soft"),
            data=str(tiny_data),
            out=str(root / "test"),
            split="test",
            prompt="answer",
            answers="bare",
            max_new_tokens=2,
            controls=["blank"],
        )
    )
    return root / "test"


def test_behind_a_soft_prompt_of_words_it_is_as_behind_the_words(soft, tiny_qwen, tiny_data, tmp_path):
    command.main(["--arm", str(soft), "--out", str(tmp_path / "out")])
    found = records.read(tmp_path / "out")
    checkpoint = open_checkpoint(str(tiny_qwen))
    processor, model = checkpoint.load_processor(), checkpoint.load_model(dtype=torch.float32)
    row = dataset.load(tiny_data, "test")[0]
    (prompt,) = render([row], processor, template="answer")
    says = by_hand(model, processor, WORDS + prompt.text, open_picture(tiny_data, row.images[0]))
    token = processor.tokenizer.decode([int(says.argmax())])
    assert (found[row.id].token, found[row.id].token_probability) == (token, pytest.approx(float(says.max()), rel=1e-3))
    assert scores(tmp_path / "out")["mass"]["value"] < 0.5, "a model of random weights answers nothing"
    command.main(["--arm", str(soft / "blank"), "--out", str(tmp_path / "blank")])
    blank = records.read(tmp_path / "blank")
    assert blank[row.id].mass != pytest.approx(found[row.id].mass, rel=1e-3), "a control is asked as it was shown"


def test_where_no_answer_opens_rows_are_missing_and_still_have_a_first_token(tiny_smolvlm, tiny_data, tmp_path, capsys):
    settings = {"data": str(tiny_data), "split": "test", "max_new_tokens": 2}
    evaluate(EvaluationArguments(model=str(tiny_smolvlm), out=str(tmp_path / "arm"), **settings))
    command.main(["--arm", str(tmp_path / "arm"), "--out", str(tmp_path / "stated")])
    assert scores(tmp_path / "stated")["missing"] == {"the completion opens no answer, or several": 6}
    assert "6 rows missing" in capsys.readouterr().out
    assert not (tmp_path / "stated/reliability.png").exists()
    command.main(["--arm", str(tmp_path / "arm"), "--place", "first", "--out", str(tmp_path / "first")])
    assert (scores(tmp_path / "first")["n"], scores(tmp_path / "first")["missing"]) == (6, {})


def test_mistakes_are_one_line(arm, asked, tmp_path, capsys):
    sampled = tmp_path / "sampled"
    sampled.mkdir()
    for name in ("generations.jsonl", "outcomes.jsonl", "scores.json"):
        (sampled / name).write_bytes((arm / name).read_bytes())
    written = manifest.read(arm)
    written["config"]["temperature"] = 1.0
    (sampled / manifest.MANIFEST).write_text(json.dumps(written))
    out = str(tmp_path / "out")
    for words, message in (
        (["--arm", str(tmp_path), "--out", out], "is not finished"),
        (["--arm", str(arm), "--out", str(arm)], "choose another folder"),
        (["--arm", str(arm), "--bins", "0", "--out", out], "--bins 0 is out of range"),
        (["--arm", str(sampled), "--out", out], "so its answers change by themselves"),
        (["--arm", str(arm), "--place", "first", "--out", str(asked)], "belongs to another run (bins: 5"),
    ):
        with pytest.raises(SystemExit) as exit:
            command.main(words)
        assert exit.value.code == 2
        assert message in capsys.readouterr().err
    assert not Path(out).exists()
    assert jsonl.read(sampled / generations.FILE)
