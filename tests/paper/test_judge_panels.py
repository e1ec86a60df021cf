"""Several judges on the same items, and a successor on the stored verdicts: generated verdicts of known agreement."""

import json
import random
from pathlib import Path

import pytest

from vlm_grpo.alignment.successors import succession
from vlm_grpo.paper import agreement_command
from vlm_grpo.store import jsonl

PAPER = Path(__file__).parents[2] / "results" / "paper"
SPLITS = ("train", "validation", "test")


def run(capsys, *arguments):
    agreement_command.main([*map(str, arguments), "--format", "json"])
    return json.loads(capsys.readouterr().out)


def write(path, rows, *, judge, split="test"):
    """Verdicts (row, model, aligns) as ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    jsonl.write(
        path,
        (
            {"row_id": row, "split": split, "model": model, "repeat": 0, "aligns": aligns, "missing": None}
            | {"type": None if aligns else "other", "judge": judge, "prompt": "taxonomy"}
            for row, model, aligns in rows
        ),
    )
    return path


def stored(split):
    lines = (PAPER / "alignment" / f"{split}.tsv").read_text().splitlines()[1:]
    return [(cells[0], cells[1], cells[4] == "true") for cells in (line.split("\t") for line in lines)]


def test_three_judges_of_known_agreement(capsys, tmp_path):
    """Of 100 items all three agree on 80, half of them aligned; on the rest one alone says misaligned, in turn."""
    said = [[i % 2 == 0] * 3 if i < 80 else [j != i % 3 for j in range(3)] for i in range(100)]
    files = [
        write(tmp_path / name / "verdicts.jsonl", [(f"r{i}", "grpo", one[j]) for i, one in enumerate(said)], judge=name)
        for j, name in enumerate("abc")
    ]
    shown = run(capsys, "--verdicts", files[0], "--other", files[1], "--other", files[2])
    binary, by_type = shown["panels"]
    assert (binary["n"], binary["strict"]["k"], binary["strict_by_class"]) == (
        100,
        80,
        {"aligned": 40, "misaligned": 40},
    )
    share = (40 * 3 + 20 * 2) / 300
    chance = share**2 + (1 - share) ** 2
    assert binary["fleiss_kappa"]["value"] == pytest.approx(((80 + 20 / 3) / 100 - chance) / (1 - chance))
    assert binary["fleiss_kappa"]["ci_low"] < binary["fleiss_kappa"]["value"] < binary["fleiss_kappa"]["ci_high"]
    assert by_type["classes"][0] == "aligned"
    assert len(by_type["classes"]) == 5
    pairs = {(a["first"][0], a["second"][0]): a["agreeing"] for a in shown["agreements"] if len(a["classes"]) == 2}
    assert pairs == {
        (a, b): 80 + sum(said[i]["abc".index(a)] == said[i]["abc".index(b)] for i in range(80, 100))
        for a, b in (("a", "b"), ("a", "c"), ("b", "c"))
    }
    agreement_command.main(["--verdicts", str(files[0]), "--other", str(files[1]), "--other", str(files[2])])
    assert "80 of 100 = 80.0 %" in capsys.readouterr().out


def test_the_stored_verdicts_against_themselves(capsys, tmp_path):
    files = [write(tmp_path / f"{split}.jsonl", stored(split), judge="new", split=split) for split in SPLITS]
    (made,) = run(capsys, "--successor", files[0], "--successor", files[1], "--successor", files[2])["successions"]
    assert sum(one["n"] for one in made["splits"].values()) == 2080
    assert all(one["kappa"]["value"] == 1 and one["left_out"] == 0 for one in made["splits"].values())
    for one in made["predicted"]:
        assert one["as_old"]["value"] == pytest.approx(one["old"]["rate"]) == one["as_judged"]["rate"]


def successor(rows, rng):
    """It calls a tenth of what the old judge calls aligned misaligned, and misses a fifth of the misaligned."""
    return [(row, model, rng.random() >= 0.1 if aligns else rng.random() < 0.2) for row, model, aligns in rows]


def rater(rows):
    return {(row, model): "aligned" if aligns else "misaligned" for row, model, aligns in rows}


def test_each_split_is_predicted_from_the_others():
    old = {split: rater(stored(split)) for split in SPLITS}
    covered = 0
    for seed in range(20):
        rng = random.Random(seed)
        new = {split: rater(successor(stored(split), rng)) for split in SPLITS}
        for one in succession("new", new, "old", old, others={}).predicted:
            low, high = one.as_old.interval
            covered += low <= one.old[0] / one.old[1] <= high
    assert covered >= 55, "of 60 intervals that should miss one in twenty"


def test_a_stricter_successor_is_told_as_the_old_judge(capsys, tmp_path):
    rng = random.Random(1)
    new = {split: successor(stored(split), rng) for split in SPLITS}
    files = [write(tmp_path / f"{split}.jsonl", new[split], judge="new", split="?") for split in SPLITS]
    elsewhere = [(f"r{i}", "grpo", i % 10 > 2) for i in range(4000)]
    other = write(tmp_path / "run" / "verdicts.jsonl", successor(elsewhere, rng), judge="new", split="other")
    words = [word for split, path in zip(SPLITS, files, strict=True) for word in ("--successor", f"{split}={path}")]
    shown = run(capsys, "--verdicts", other, *words)
    assert shown["agreements"] == []
    (made,) = shown["successions"]
    for split, one in made["splits"].items():
        pairs = list(zip(stored(split), new[split], strict=True))
        cells = [[sum((a[2], b[2]) == (x, y) for a, b in pairs) for y in (True, False)] for x in (True, False)]
        assert one["table"] == cells
    last = made["predicted"][-1]
    assert last["where"] == "run, grpo"
    assert last["as_judged"]["rate"] == pytest.approx(0.3 * 0.8 + 0.7 * 0.1, abs=0.02)
    assert last["as_old"]["ci_low"] < 0.3 < last["as_old"]["ci_high"]
    agreement_command.main(["--verdicts", str(other), *map(str, words)])
    assert "as o4-mini (taxonomy prompt) would have judged" in capsys.readouterr().out


def test_mistakes_are_told(capsys, tmp_path):
    good = write(tmp_path / "a.jsonl", stored("test"), judge="a")
    alien = write(tmp_path / "b.jsonl", [("vsr-1", "grpo", True)], judge="a")
    second = write(tmp_path / "c.jsonl", stored("train"), judge="c", split="train")
    for words, message in (
        (["--successor", alien], "row and model are to be named as in the stored verdicts"),
        (["--successor", f"dev={good}"], "split 'dev'; give train, validation, test once each"),
        (["--successor", good, "--successor", good], "once each"),
        (["--successor", good, "--successor", second], "one judge succeeds another"),
        (["--verdicts", good, "--other", good, "--other", good], "is there already"),
        (["--verdicts", good, "--other", alien, "--other", second], "have no item"),
    ):
        with pytest.raises(SystemExit):
            agreement_command.main([*map(str, words)])
        assert message in capsys.readouterr().err
