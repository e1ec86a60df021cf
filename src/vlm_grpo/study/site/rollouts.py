"""Every rollout that a training wrote down: an index of its groups, and their texts in chunks of whole steps.

A group is the completions of one prompt at one step. The index says of each where it is, what it earned and how many of
it cannot be read, so that a slider and the lists of what is surprising need no text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.study.site.answers import written
from vlm_grpo.study.site.pictures import Shelf
from vlm_grpo.study.site.shapes import are_drawn, shapes_of
from vlm_grpo.study.site.source import Training
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.tasks.view import AS_IS, View

COMPLETIONS = "completions.jsonl"
CHUNK = 400_000
"""Signs of completions after which a chunk ends with its step."""
UNPARSED, CUT, RIGHT = "u", "c", "r"


@dataclass
class Group:
    """The completions of one prompt at one step, as they were logged."""

    step: int
    row: Row
    lines: list[dict[str, Any]]


@dataclass
class RunRollouts:
    """What the pages hold of a run.

    Attributes:
        groups: one entry a group: step, row's place in `rows`, mean reward (the weighted sum), its spread, number right
            (-1 where that cannot be told), unparsed, cut off, watched probes seen; and chunk and place in it.
        chunks: the groups' texts; `keys` of each chunk are the pictures that it shows.
    """

    rows: list[str] = field(default_factory=list)
    groups: list[list[Any]] = field(default_factory=list)
    chunks: list[dict[str, Any]] = field(default_factory=list)
    rewards: list[str] = field(default_factory=list)
    steps_left_out: int = 0


def rollouts(training: Training, lines: Iterable[dict[str, Any]], shelf: Shelf, *, steps: int | None) -> RunRollouts:
    """The rollouts of `training`, `lines` being those of its `completions.jsonl`; at most `steps` of its steps.

    Which steps stay is spread evenly over those logged, first and last among them.
    """
    root = Path(training.config["data"])
    rows = {row.id: row for row in dataset.load(root, training.config["split"])}
    groups = list(grouped(lines, rows, size=training.config["num_generations"]))
    kept = spread(sorted({group.step for group in groups}), steps)
    held = RunRollouts(steps_left_out=len({group.step for group in groups} - kept))
    weights = training.config.get("reward_weights")
    places: dict[str, int] = {}
    size = 0
    for group in groups:
        if group.step not in kept:
            continue
        if not held.chunks or (size > CHUNK and held.groups[-1][0] != group.step):
            held.chunks.append({"groups": [], "rows": {}})
            size = 0
        chunk = held.chunks[-1]
        place = places.setdefault(group.row.id, len(places))
        said = [_said(line, group.row, training.config) for line in group.lines]
        chunk["groups"].append(said)
        chunk["rows"].setdefault(str(place), _asked(group.row, root, shelf))
        held.groups.append(
            [group.step, place, *_figures(group, said, weights), len(held.chunks) - 1, len(chunk["groups"]) - 1]
        )
        size += sum(len(one["text"]) for one in said)
    held.rows = list(places)
    held.rewards = list(groups[0].lines[0]["rewards"]) if groups else []
    return held


def grouped(lines: Iterable[dict[str, Any]], rows: dict[str, Row], *, size: int) -> Iterator[Group]:
    """The groups of up to `size` completions, in the order logged; one of a row that the data set lacks is left out."""
    group: Group | None = None
    for line in lines:
        if group is not None and (
            len(group.lines) == size or (group.step, group.row.id) != (line["step"], line["row_id"])
        ):
            yield group
            group = None
        if line["row_id"] in rows:
            group = group or Group(line["step"], rows[line["row_id"]], [])
            group.lines.append(line)
    if group is not None:
        yield group


def spread(steps: Sequence[int], count: int | None) -> set[int]:
    """At most `count` of `steps`, evenly spread, first and last among them; all of them where `count` is None."""
    if count is None or len(steps) <= count:
        return set(steps)
    if count == 1:
        return {steps[-1]}
    return {steps[round(place * (len(steps) - 1) / (count - 1))] for place in range(count)}


def _asked(row: Row, root: Path, shelf: Shelf) -> dict[str, Any]:
    task = task_of(row)
    truth = task.truth(row)
    return {
        "problem": row.problem,
        "truth": written(truth, row),
        "pictures": shelf.want(root, row.images),
        "shapes": shapes_of(row),
    }


def _said(line: dict[str, Any], row: Row, config: dict[str, Any]) -> dict[str, Any]:
    """One completion: text, answer read, rewards, advantage, marks."""
    task, text = task_of(row), line["text"]
    view = View.model_validate(line["view"]) if "view" in line else AS_IS
    is_known = _is_known(line, row)
    if task.needs_judge(row):
        answer, is_right, shapes = task.answer(row).read(text, config["answers"]), False, []
    else:
        outcome = task.outcome(text, row, rule=config["answers"], view=view)
        answer, is_right = outcome.said, outcome.right and is_known
        shapes = shapes_of(row, outcome) if is_known else []
    marks = (UNPARSED if answer is None else "") + (CUT if line.get("clipped") else "") + (RIGHT * is_right)
    seen = [name for name, probe in task.probes.items() if probe(text, row)]
    return {
        "text": text,
        "answer": None if answer is None else written(answer, row),
        **({} if is_known or answer is None else {"as_said": 1}),
        **({"shapes": shapes} if shapes else {}),
        "rewards": list(line["rewards"].values()),
        "advantage": round(line["advantage"], 4),
        **({"shaped": round(line["shaped_advantage"], 4)} if "shaped_advantage" in line else {}),
        **({"turns": [_turn(turn) for turn in line["turns"]]} if line.get("turns") else {}),
        **({"probes": seen} if seen else {}),
        "marks": marks,
    }


def _turn(turn: dict[str, Any]) -> list[str]:
    return [str(turn.get("role", "")), str(turn.get("text", turn.get("content", "")))]


def _is_known(line: dict[str, Any], row: Row) -> bool:
    """Whether `line` says where its answer lies: older files do not say in which frame a box was meant."""
    return "view" in line or not are_drawn(row)


def _figures(group: Group, said: Sequence[dict[str, Any]], weights: Sequence[float] | None) -> list[Any]:
    weights = weights or [1.0] * len(said[0]["rewards"])
    sums = [
        sum(weight * value for weight, value in zip(weights, one["rewards"], strict=True) if value is not None)
        for one in said
    ]
    is_judged = task_of(group.row).needs_judge(group.row)
    is_known = not is_judged and all(_is_known(line, group.row) for line in group.lines)
    return [
        round(sum(sums) / len(sums), 4),
        round(max(sums) - min(sums), 4),
        sum(RIGHT in one["marks"] for one in said) if is_known else -1,
        sum(UNPARSED in one["marks"] for one in said),
        sum(CUT in one["marks"] for one in said),
        sum(bool(one.get("probes")) for one in said),
    ]
