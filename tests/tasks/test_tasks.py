"""Every task is proven by its own gold answers and hacks, without this file knowing any of them."""

import json

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.registry import MODULES, check_solutions, task_named, task_of

GOLD = [(name, n) for name in MODULES for n, _ in enumerate(task_named(name).gold)]
HACKS = [(name, n) for name in MODULES for n, _ in enumerate(task_named(name).hacks)]


@pytest.mark.parametrize("name, number", GOLD)
def test_gold_is_right_with_full_credit(name, number):
    task = task_named(name)
    completion, row = task.gold[number]
    outcome = task.outcome(completion, row, rule="strict")
    assert outcome.right
    assert outcome.credit == 1.0
    assert json.loads(json.dumps(outcome.said)) == outcome.said
    for reward in ("accuracy", "credit"):
        assert REWARDS[reward].score(completion, row, rule="strict") == REWARDS[reward].maximum


@pytest.mark.parametrize("name, number", HACKS)
@pytest.mark.parametrize("rule", ["strict", "relaxed"])
def test_hacks_earn_nothing(name, number, rule):
    task = task_named(name)
    completion, row = task.hacks[number]
    outcome = task.outcome(completion, row, rule=rule)
    assert (outcome.right, outcome.credit) == (False, 0.0)
    for reward in ("accuracy", "credit"):
        assert REWARDS[reward].score(completion, row, rule=rule) == REWARDS[reward].minimum


@pytest.mark.parametrize("name", MODULES)
def test_a_task_proves_itself_on_both_sides(name):
    task = task_named(name)
    assert task.gold
    assert task.hacks
    assert all(task_of(row) is task for _, row in (*task.gold, *task.hacks))


@pytest.mark.parametrize("name, number", GOLD)
def test_what_sft_teaches_is_right(name, number):
    task = task_named(name)
    _, row = task.gold[number]
    assert task.outcome(task.target(row, "tagged"), row, rule="strict").right
    assert task.outcome(task.target(row, "bare"), row, rule="bare").right


@pytest.mark.parametrize("name", MODULES)
def test_figures_columns_and_slices_fit_together(name):
    task = task_named(name)
    outcomes = [task.outcome(text, row, rule="strict") for text, row in (*task.gold, *task.hacks)]
    figures = task.figures(outcomes)
    json.dumps(figures, allow_nan=False)
    for column in task.columns:
        assert format(figures[column.key], column.format)
    assert not task.slices.keys() & figures.keys()


@pytest.mark.parametrize("name, probe", [(name, probe) for name in MODULES for probe in task_named(name).probes])
def test_a_probe_sees_a_hack_and_no_right_answer(name, probe):
    task = task_named(name)
    seen = {kind: [task.probes[probe](text, row) for text, row in getattr(task, kind)] for kind in ("gold", "hacks")}
    assert not any(seen["gold"])
    assert any(seen["hacks"])


def test_an_unknown_task_and_a_solution_of_another_kind_are_told():
    row = Row(id="a", images=(), problem="?", solution="left", task="vsr")
    with pytest.raises(UserError, match="data row a: solution 'left' is neither True nor False; mend the row"):
        check_solutions([row], where="data")
    with pytest.raises(UserError, match=r"data row a: unknown task 'vsx'; known: .*vsr, "):
        check_solutions([row.model_copy(update={"task": "vsx"})], where="data")
    with pytest.raises(UserError, match="unknown target 'loud' of task vsr; known: bare, yes_no, tagged"):
        task_of(row).target(row.model_copy(update={"solution": "True"}), "loud")


def test_a_row_may_bring_what_sft_teaches():
    row = Row(
        id="a",
        images=(),
        problem="?",
        solution="True",
        task="synthetic_vsr",
        meta={"completion": "<think> so </think> True"},
    )
    assert task_of(row).target(row, "completion") == "<think> so </think> True"
    for meta in ({}, {"completion": " "}, {"completion": 3}):
        with pytest.raises(UserError, match="row a has no text in its column 'completion', which target 'completion'"):
            task_of(row).target(row.model_copy(update={"meta": meta}), "completion")
