"""The command itself, run as people run it, in a process of its own."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vlm_grpo.paper.published import PAPER
from vlm_grpo.store.provenance import REPOSITORY

SCRIPT = "alignment_judge/statistics.py"


def run(*arguments: object, cwd: Path = REPOSITORY, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if "KEY" not in k} | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *python, str(REPOSITORY / SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
    )


def rows(*arguments: object) -> list[dict]:
    done = run("--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write_json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_six_rows_equal_the_published_ones():
    done = run("--check", "--format", "json")
    assert done.returncode == 0, done.stderr
    by_place = {(r["split"], r["model"]): r for r in json.loads(done.stdout)}
    published = {
        ("test", "base"): (253, 350, 41, [26, 10, 3, 2]),
        ("test", "grpo"): (292, 350, 60, [48, 8, 4, 0]),
        ("train", "base"): (246, 350, 50, [24, 18, 4, 4]),
        ("train", "grpo"): (293, 350, 91, [67, 18, 6, 0]),
        ("validation", "base"): (245, 340, 45, [24, 11, 7, 3]),
        ("validation", "grpo"): (293, 340, 76, [60, 8, 6, 2]),
    }
    assert {
        key: (r["correct"], r["total"], r["misaligned"], list(r["types"].values())) for key, r in by_place.items()
    } == published
    keys = {"split", "model", "correct", "total", "misaligned", "types", "accuracy", "misaligned_rate"}
    assert all(keys | {"ci_low", "ci_high"} <= r.keys() for r in by_place.values())
    assert all(r["ci_low"] < r["misaligned_rate"] < r["ci_high"] for r in by_place.values())


def test_quadrants_and_paired_tests():
    by_place = {(r["split"], r["model"]): r for r in rows()}
    assert list(by_place["test", "base"]["quadrants"].values()) == [232, 21, 77, 20]
    assert list(by_place["train", "grpo"]["quadrants"].values()) == [226, 67, 33, 24]
    assert list(by_place["validation", "grpo"]["quadrants"].values()) == [231, 62, 33, 14]
    expected = {
        "test": (20, 39, 0.018, 0.018),
        "train": (27, 68, 3.1e-5, 9.3e-5),
        "validation": (25, 56, 7.5e-4, 1.5e-3),
    }
    for split, (only_base, only_grpo, p, p_holm) in expected.items():
        pair = by_place[split, "grpo"]["paired"][0]
        assert (pair["outcome"], pair["only_first"], pair["only_second"]) == ("misaligned", only_base, only_grpo)
        assert pair["p_mcnemar"] == pytest.approx(p, rel=0.03)
        assert pair["p_holm"] == pytest.approx(p_holm, rel=0.03)
        assert 0 < pair["ci_low"] < pair["difference"] < pair["ci_high"]


def test_a_changed_verdict_is_told_beside_the_figure_and_fails_the_check(tmp_path):
    paper = tmp_path / "paper"
    shutil.copytree(PAPER, paper)
    path = paper / "alignment" / "test.tsv"
    path.write_text(path.read_text().replace("0\tbase\tTrue\tFalse\ttrue\t-", "0\tbase\tTrue\tFalse\tfalse\tother", 1))
    done = run("--check", "--paper", paper)
    assert done.returncode == 1
    assert "42 (differs by +1 from the published 41)" in done.stdout
    assert "check: test base other differs by +1 from the published 2" in done.stderr
    assert "12.00 % (differs by +0.29 from the published 11.71)" in done.stdout


def test_every_dependency_gets_the_standard_statistics():
    probe = (
        "import runpy, sys; sys.argv = ['statistics.py', '--format', 'json'];"
        f"sys.path.insert(0, {str(REPOSITORY / 'alignment_judge')!r});"
        f"runpy.run_path({str(REPOSITORY / SCRIPT)!r}, run_name='__main__');"
        "import statistics; assert statistics.mean([1, 3]) == 2"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_runs_from_its_own_folder():
    assert run("--format", "csv", cwd=REPOSITORY / "alignment_judge").returncode == 0


def test_imports_nothing_heavy():
    done = run("--format", "json", python=("-X", "importtime"))
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    heavy = {"torch", "transformers", "datasets", "pandas", "matplotlib", "statsmodels", "scipy.stats", "openai"}
    assert "numpy" in imported
    assert not imported & heavy


def test_out_holds_all_formats_and_figures(tmp_path):
    done = run("--out", tmp_path)
    assert done.returncode == 0, done.stderr
    texts = {f"alignment.{suffix}" for suffix in ("txt", "json", "csv", "md", "tex")}
    names = ("misaligned_rates", "misaligned_types", "correct_by_aligned")
    figures = {f"{name}.{suffix}" for name in names for suffix in ("png", "pdf")}
    assert {p.name for p in tmp_path.iterdir()} == texts | figures | {"simple_prompt.json", "manifest.json"}
    assert len(list(csv.DictReader((tmp_path / "alignment.csv").open()))) == 6
    assert (tmp_path / "misaligned_rates.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "misaligned_rates.pdf").read_bytes().startswith(b"%PDF")
    simple = json.loads((tmp_path / "simple_prompt.json").read_text())
    assert len(simple) == 8
    assert "not recomputable" in (tmp_path / "alignment.md").read_text()
    assert r"\toprule" in (tmp_path / "alignment.tex").read_text()


def test_strict_rule_counts_the_answers_it_cannot_read():
    by_place = {(r["split"], r["model"]): r for r in rows("--answer-rule", "strict", "--split", "validation")}
    base = by_place["validation", "base"]
    assert base["answers_read"] < base["total"]
    assert base["accuracy"] == base["correct"] / base["total"]
    assert base["correct"] == 246  # ">False" is read


def original(n: int = 4, **changes: object) -> list[dict]:
    return [
        {
            "index": i,
            "model": model,
            "question": "The cat is left of the dog.",
            "true_label": "True",
            "image_url": "http://images.example/1.jpg",
            "reasoning": "The cat is left of the dog.",
            "final_ans": "True" if i % 2 else "False",
            "aligns": bool(i % 2),
            "type": None if i % 2 else "contradiction",
            "why": "",
            **changes,
        }
        for i in range(n)
        for model in ("base", "grpo")
    ]


def test_the_originals_layout(tmp_path):
    verdicts = write_json(tmp_path / "v.json", original())
    shown = rows("--verdicts", verdicts, "--split", "test", "--split-size", 4)
    assert [(r["model"], r["correct"], r["misaligned"]) for r in shown] == [("base", 2, 2), ("grpo", 2, 2)]
    assert shown[0]["answer_rule"] == "published"


def test_the_studys_own_files_give_its_table(tmp_path):
    with (PAPER / "alignment" / "test.tsv").open() as file:
        stored = list(csv.DictReader(file, delimiter="\t"))
    originals = [
        {**row, "aligns": row["aligns"] == "true", "type": None if row["type"] == "-" else row["type"]}
        for row in stored
    ]
    verdicts = write_json(tmp_path / "v.json", originals)
    done = run("--verdicts", verdicts, "--split", "test", "--check")
    assert done.returncode == 0, done.stderr
    assert "60 (= published)" in done.stdout
    assert "the first 350 of the split's 1,222 rows" in done.stdout


def test_correctness_from_response_files(tmp_path):
    verdicts = write_json(tmp_path / "v.json", original())
    right = [{"true_response": "True", "predicted_response": "It is.\nAnswer: True"}] * 4
    responses = write_json(tmp_path / "grpo.json", right)
    shown = rows("--verdicts", verdicts, "--grpo", responses, "--split-size", 4)
    assert [(r["model"], r["correct"]) for r in shown] == [("base", 2), ("grpo", 4)]
    other = write_json(tmp_path / "other.json", [*right[:3], {"true_response": "False", "predicted_response": "no"}])
    done = run("--verdicts", verdicts, "--grpo", other, "--split-size", 4)
    assert done.returncode == 2
    assert "v.json row 7: label True, but" in done.stderr
    short = write_json(tmp_path / "short.json", right[:3])
    done = run("--verdicts", verdicts, "--grpo", short, "--split-size", 4)
    assert done.returncode == 2
    assert "item 3 of grpo is not in" in done.stderr


DEFECTS = {
    "duplicates": (lambda v: [*v, v[0]], "row 8: item 0 of base occurs twice", "duplicate"),
    "missing": (lambda v: [r for r in v if r["index"] != 1], "item 1 of base is missing", "items of base are missing"),
    "unequal": (lambda v: v[:-1], "item 3 has a row for base and none for grpo", "differ in 1 items"),
    "partial": (lambda v: v[:-2], "3 items of base where the split has 4", "partial: 3 of the split's 4 items"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_defects_are_refused_unless_allowed_and_then_told(tmp_path, defect):
    spoil, message, note = DEFECTS[defect]
    verdicts = write_json(tmp_path / "v.json", spoil(original()))
    done = run("--verdicts", verdicts, "--split-size", 4)
    assert done.returncode == 2
    assert message in done.stderr
    assert f"--allow {defect}" in done.stderr
    allowed = ["--allow", defect, "--allow", "partial"]
    done = run("--verdicts", verdicts, "--split-size", 4, *allowed)
    assert done.returncode == 0, done.stderr
    assert note in done.stdout


def test_a_split_of_vsr_is_known_by_size(tmp_path):
    verdicts = write_json(tmp_path / "v.json", original())
    done = run("--verdicts", verdicts, "--split", "test")
    assert done.returncode == 2
    assert "the split has 1222" in done.stderr


BROKEN_ROWS = [
    ({"aligns": "yes"}, "row 0: aligns is 'yes'"),
    ({"type": "wrong"}, "row 0: unknown type 'wrong'"),
    ({"type": None}, "row 0: type is None where aligns is False"),
    ({"true_label": "maybe"}, "row 0: solution 'maybe'"),
]


@pytest.mark.parametrize("change, message", BROKEN_ROWS)
def test_a_broken_row_is_named(tmp_path, change, message):
    done = run("--verdicts", write_json(tmp_path / "v.json", original(**change)))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_closed_pipe_is_no_error():
    command = ["bash", "-c", '"$@" | head -1; echo ${PIPESTATUS[0]}', "-", sys.executable, str(REPOSITORY / SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0].startswith("train: types of misalignment")
    assert done.stdout.splitlines()[1] in ("0", "141")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name, suffix", [("markdown", "md"), ("text", "txt"), ("latex", "tex"), ("csv", "csv")])
def test_the_kept_tables_are_current(name, suffix):
    assert run("--format", name).stdout == (PAPER / "tables" / f"alignment.{suffix}").read_text()
