"""Score completions that another program saved: `python -m vlm_grpo.evaluation.score --task counting FILE [FILE ...]`.

A file is JSONL, a JSON list, or a JSON object with a list `results`; a record holds the completion (`text`,
`model_output` or `completion`), the true answer (`solution`, `ground_truth` or `answer`) and perhaps `id` and the
question (`problem` or `question`), itself or in an object `question`. Answers are read by the task, as in every
evaluation. With two files or more, each is compared with the first on the same rows, by the exact McNemar test.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.evaluation.summary import arms_table
from vlm_grpo.paths import user_path
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.paired import mcnemar_exact, paired_counts
from vlm_grpo.statistics.shares import accuracy_share
from vlm_grpo.store import atomic, jsonl
from vlm_grpo.tables import to_text
from vlm_grpo.tasks.answers.rules import RULES, Rule
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.blocks import reasons
from vlm_grpo.tasks.registry import MODULES, task_named

TEXT, TRUTH, PROBLEM = (
    ("text", "model_output", "completion"),
    ("solution", "ground_truth", "answer"),
    ("problem", "question"),
)


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.evaluation.score",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=user_path, metavar="FILE", help="saved completions")
    parser.add_argument("--task", required=True, choices=MODULES, help="what the rows ask")
    parser.add_argument("--answers", default="strict", choices=RULES, help="how an answer is read (default strict)")
    parser.add_argument("--out", type=user_path, metavar="FILE.json", help="also write the scores there")
    given = parser.parse_args(arguments)
    arms = {str(file): score_file(file, task=given.task, rule=given.answers) for file in given.files}
    scores = {name: numbers for name, (numbers, _) in arms.items()}
    (first, (_, reference)), *others = arms.items()
    pairs = {}
    for name, (_, outcomes) in others:
        counts = paired_counts(
            {id: outcome.right for id, outcome in reference.items()},
            {id: outcome.right for id, outcome in outcomes.items()},
        )
        p = mcnemar_exact(counts.b, counts.c)
        pairs[name] = {"first": first, "b": counts.b, "c": counts.c, "difference": counts.difference, "mcnemar_p": p}
    print(to_text(arms_table(scores, title=f"Task {given.task}, answers read {given.answers}", name="file")))
    for name, pair in pairs.items():
        print(
            f"{name} against {first}: only the first right {pair['b']}, only the second {pair['c']}, difference "
            f"{pair['difference']:+.3f}, exact McNemar p = {pair['mcnemar_p']:.3g}"
        )
    if given.out:
        atomic.write_json(given.out, {"task": given.task, "answers": given.answers, "files": scores, "pairs": pairs})


def score_file(path: Path, *, task: str, rule: Rule) -> tuple[dict[str, Any], dict[str, Outcome]]:
    """The scores of one file's completions, as in `scores.json` but without lengths, and the outcomes by row id."""
    asked = task_named(task)
    outcomes: dict[str, Outcome] = {}
    reasoned = 0
    for number, record in _records(path):
        where = f"{path} record {number}"
        text = _value(record, TEXT, where)
        row = Row(
            id=str(record.get("id", number)),
            images=(),
            problem=str(_value(record, PROBLEM, where, default="?")),
            solution=str(_value(record, TRUTH, where)),
            task=task,
            meta=dict(record),
        )
        if not isinstance(text, str):
            raise UserError(f"{where}: the completion is {type(text).__name__}, expected a text")
        if row.id in outcomes:
            raise UserError(f"{where}: id {row.id!r} occurs twice")
        asked.truth(row, where=where)
        outcomes[row.id] = asked.outcome(text, row, rule=rule)
        reasoned += reasons(text)
    if not outcomes:
        raise UserError(f"{path} holds no completion")
    judged = list(outcomes.values())
    n, parsed = len(judged), sum(outcome.said is not None for outcome in judged)
    numbers = {
        "task": task,
        **accuracy_share(sum(outcome.right for outcome in judged), n),
        "parsed": parsed,
        "parse_rate": parsed / n,
        **asked.figures(judged),
        "reasoned": reasoned,
        "reasoning_rate": reasoned / n,
    }
    return numbers, outcomes


def _records(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Number (from 1) and object of every record of `path`."""
    content = path.read_bytes().lstrip() if path.is_file() else b""
    if not content:
        raise UserError(f"{path} {'is empty' if path.is_file() else 'is missing'}; give a file of completions")
    try:
        whole = json.loads(content)
    except ValueError:
        return list(jsonl.read_input(path))
    if isinstance(whole, dict) and "results" in whole:
        whole = whole["results"]
    elif isinstance(whole, dict):
        whole = [whole]
    if not isinstance(whole, list):
        raise UserError(f"{path}: expected a list of records, found {type(whole).__name__}")
    for number, record in enumerate(whole, start=1):
        if not isinstance(record, dict):
            raise UserError(f"{path} record {number}: expected a JSON object, found {type(record).__name__}")
    return list(enumerate(whole, start=1))


def _value(record: Mapping[str, Any], names: Sequence[str], where: str, *, default: Any = None) -> Any:
    """The first of `names` that `record`, or the object that is its `question`, holds."""
    nested = record.get("question")
    for place in (record, nested if isinstance(nested, Mapping) else {}):
        for name in names:
            if place.get(name) is not None and not isinstance(place[name], Mapping):
                return place[name]
    if default is None:
        raise UserError(f"{where}: none of the keys {', '.join(names)}")
    return default


if __name__ == "__main__":
    main()
