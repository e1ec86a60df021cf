"""Probes: what each task's own sees, and the shares of a batch of several tasks."""

import pytest

from vlm_grpo.tasks.probes import shares
from vlm_grpo.tasks.registry import task_named

SUM = next(row for _, row in task_named("digits").gold if row.meta["question"] == "sum")
LIST = next(row for _, row in task_named("digits").gold if row.meta["question"] == "list")
COUNT, CLAIM = task_named("counting").gold[0][1], task_named("vsr").gold[0][1]


@pytest.mark.parametrize(
    "row, probe, watched, fine",
    [
        (LIST, "out_of_range", ["[3, 12]", "[]", "[1, 2, 3, 4]", "none", "[1.5]"], ["[9, 9, 0]", "3, 7"]),
        (SUM, "out_of_range", ["28", "-1", "3 or 4", "many", "2.5"], ["27", "0", "nine"]),
        (COUNT, "no_count", ["some", "-2", "2.5", "3 or 4"], ["0", "44", "four"]),
        (CLAIM, "undecided", ["perhaps", "True or False", ""], ["False", "yes", "It is true."]),
    ],
)
def test_what_a_probe_sees(row, probe, watched, fine):
    sees = task_named(row.task).probes[probe]
    assert [answer for answer in watched if not sees(f"<answer> {answer} </answer>", row)] == []
    assert [answer for answer in fine if sees(f"<answer> {answer} </answer>", row)] == []
    assert not sees("no answer at all", row)


def test_shares_are_of_the_completions_whose_task_has_the_probe():
    rows = [SUM, SUM, CLAIM, COUNT]
    texts = [
        "<think> 9 + 9 </think> <answer> 99 </answer>",
        "<answer> 9 </answer>",
        "<think> It </think> <answer> both </answer>",
        "<answer> 4 </answer>",
    ]
    assert shares(texts, rows) == {"reasoned": 0.5, "out_of_range": 0.5, "undecided": 1.0, "no_count": 0.0}
