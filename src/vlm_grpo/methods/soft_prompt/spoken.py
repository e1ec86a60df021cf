"""What finished evaluations have models say, as a teacher's completions; what is right was read there, once."""

from collections.abc import Sequence
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.methods.soft_prompt.traces import Said
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.provenance import file_hash

KIND = "evaluation"
GENERATIONS, OUTCOMES = "generations.jsonl", "outcomes.jsonl"
"""What an evaluation writes, one line a row each."""


def hashes(folders: Sequence[str]) -> dict[str, str]:
    """SHA-256 of what each of the finished evaluations `folders` has its model say."""
    for folder in folders:
        manifest.read(Path(folder), kind=KIND)
    return {folder: file_hash(Path(folder) / GENERATIONS) for folder in folders}


def of_evaluations(folders: Sequence[str], rows: Sequence[Row]) -> dict[str, list[Said]]:
    """The completions of `rows` in `folders`, by row id; rows that an evaluation has not asked have none of it.

    `UserError` for one that reads answers by another rule than strict, or that asked a row of one of these ids another
    question.
    """
    said: dict[str, list[Said]] = {row.id: [] for row in rows}
    by_id = {row.id: row for row in rows}
    for folder in map(Path, folders):
        outcomes = {line["id"]: line for line in jsonl.read(folder / OUTCOMES, is_finished=True)}
        for line in jsonl.read(folder / GENERATIONS, is_finished=True):
            row = by_id.get(line["id"])
            if row is None:
                continue
            if (line["problem"], line["solution"]) != (row.problem, row.solution):
                raise UserError(f"{folder} asked row {row.id} another question than the data set holds; evaluate again")
            outcome = outcomes.get(row.id)
            if outcome is None or outcome["rule"] != "strict":
                raise UserError(
                    f"{folder}: row {row.id} was not read by the strict rule; evaluate with answers: strict"
                )
            said[row.id].append(Said(line["text"], line["finish_reason"] == "stop", outcome["right"]))
    return said
