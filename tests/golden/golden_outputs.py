"""What the embedded bases say and what is made of it: generations, scores, tables, prompts, verdicts, alignment.

Every command runs in the current folder with relative paths, so that no pinned text names a place.
"""

import json
from pathlib import Path
from typing import Any

from golden_commands import read_lines, run_module, run_script
from golden_curves import DATA, FAMILIES
from golden_prompts import render
from golden_tables import tables

ASKED = {
    "reason": "--prompt reason --answers strict --max_new_tokens 40",
    "answer": "--prompt answer --answers bare --max_new_tokens 40",
    "yes_no": "--prompt yes_no --answers bare_relaxed --max_new_tokens 4",
}
"""Every template, and how its answers are read."""
COMPARED = ("reason", "answer")

_SAID = ("text", "finish_reason", "prompt_tokens", "completion_tokens", "prompt_hash")
_JUDGED = ("question", "label", "reasoning", "answer", "aligns", "type", "why", "missing")


def outputs() -> dict[str, dict[str, Any]]:
    """Every pinned document but the curves, by name."""
    arms = {f"{family} {asked}": _evaluate(family, asked) for family in FAMILIES for asked in ASKED}
    said = {arm: read_lines(folder / "generations.jsonl") for arm, folder in arms.items()}
    return {
        "generations": {
            arm: {row["id"]: _only(_SAID, row) for row in sorted(rows, key=lambda row: row["id"])}
            for arm, rows in said.items()
        },
        "scores": {arm: json.loads((folder / "scores.json").read_text()) for arm, folder in arms.items()},
        "prompts": {family: _prompts(family, said) for family in FAMILIES},
        "tables": {f"compare {family}": _compare(family) for family in FAMILIES} | _study(),
        **_judge(),
        "published_alignment": _alignment(),
    }


def _evaluate(family: str, asked: str) -> Path:
    folder = Path(family) / asked
    words = ["--model", f"embedded:{family}", "--data", DATA, "--split", "test", "--out", str(folder)]
    run_module("vlm_grpo.evaluation", *words, "--dtype", "float32", "--seed", "42", *ASKED[asked].split())
    return folder


def _prompts(family: str, said: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Per template the first row's problem, its prompt, and the hash that the evaluation noted for it."""
    firsts = {asked: min(said[f"{family} {asked}"], key=lambda row: row["id"]) for asked in ASKED}
    return {
        asked: {**_only(("problem", "prompt_hash"), first), "prompt": render(family, asked, first["problem"])}
        for asked, first in firsts.items()
    }


def _compare(family: str) -> dict[str, Any]:
    arms = [f"{family}/{asked}" for asked in COMPARED]
    file = Path(family) / "compare.json"
    printed = run_module("vlm_grpo.evaluation.compare", *arms, "--out", str(file))
    return tables(printed) | {"json": json.loads(file.read_text())}


def _study() -> dict[str, Any]:
    """The report's tables and its summary; neither says how long anything took."""
    arms = [f"--arm={family}_{asked}={family}/{asked}" for family in FAMILIES for asked in COMPARED]
    printed = tables(run_module("vlm_grpo.results.study", *arms, "--out", "study"))
    summary = json.loads(Path("study/summary.json").read_text())
    del printed["Seconds"], summary["seconds"]
    return {"study": printed, "study summary": summary}


def _judge() -> dict[str, dict[str, Any]]:
    words = [f"--generations={family}={family}/reason/generations.jsonl" for family in FAMILIES]
    run_script("alignment_judge/judge.py", "--judge", "rules", *words, "--out", "verdicts")
    verdicts = read_lines(Path("verdicts/verdicts.jsonl"))
    return {
        "verdicts": {
            family: {
                verdict["row_id"]: _only(_JUDGED, verdict)
                for verdict in sorted(verdicts, key=lambda verdict: verdict["row_id"])
                if verdict["model"] == family
            }
            for family in FAMILIES
        },
        "alignment": _alignment("--verdicts", "verdicts/verdicts.jsonl"),
    }


def _alignment(*words: str) -> dict[str, Any]:
    records = json.loads(run_script("alignment_judge/statistics.py", *words, "--format", "json"))
    return {f"{record['split']} {record['model']}": record for record in records}


def _only(names: tuple[str, ...], record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in names}
