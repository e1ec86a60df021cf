"""Models made so on purpose: what the completions of each habit say, and how a data set gives them to SFT."""

from collections.abc import Callable
from random import Random

import pytest

from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.embedded.habits import GUESSES, HABITS, MISREADS, SLIPS
from vlm_grpo.embedded.synthetic_vsr import as_row, draw_split, with_completions
from vlm_grpo.faithfulness.endings import Ending, endings
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest
from vlm_grpo.tasks.base import OWN_COMPLETION
from vlm_grpo.tasks.registry import task_of

ITEMS = draw_split("train", 800, seed=0)
ROWS = [as_row(item) for item in ITEMS]


def read(habit: str) -> list[tuple[Row, Ending]]:
    texts = {row.id: row.meta[OWN_COMPLETION] for row in with_completions(ROWS, ITEMS, habit, seed=0)}
    outcomes = {row.id: task_of(row).outcome(texts[row.id], row, rule="strict") for row in ROWS}
    return list(zip(ROWS, endings(ROWS, texts, outcomes), strict=True))


def share(some: list[tuple[Row, Ending]], of: Callable[[Row, Ending], bool]) -> float:
    return sum(of(row, ending) for row, ending in some) / len(some)


def test_a_slip_contradicts_an_answer_that_is_right():
    said = read("slips")
    for relation, often in SLIPS.items():
        some = [one for one in said if one[0].meta["relation"] == relation]
        assert share(some, lambda _, e: e.consistent is None) == pytest.approx(GUESSES[relation], abs=0.1)
        reasoned = [one for one in some if one[1].consistent is not None]
        slipped = share(reasoned, lambda _, e: e.consistent is False)
        assert slipped == pytest.approx((1 - MISREADS) * often, abs=0.15)
    reasoned = [one for one in said if one[1].consistent is not None]
    assert all(ending.right for _, ending in reasoned if not ending.consistent)
    assert share(reasoned, lambda _, e: not e.right) == pytest.approx(MISREADS, abs=0.05)


def test_one_answer_follows_the_thought_and_the_other_the_picture():
    using, decorative = read("using"), read("decorative")
    assert all(ending.consistent for _, ending in using)
    assert 0.8 < share(using, lambda _, e: e.right) < 1
    assert all(ending.right for _, ending in decorative)
    assert share(decorative, lambda _, e: bool(e.consistent)) == pytest.approx(0.5, abs=0.07)


def test_training_rows_bring_what_sft_teaches_and_a_seed_says_it_again(tmp_path):
    words = ["--seed", "3", "--train", "8", "--validation", "8", "--test", "8"]
    for name in ("first", "again"):
        synthetic_vsr.main(["--out", str(tmp_path / name), *words, "--habit", "slips"])
    synthetic_vsr.main(["--out", str(tmp_path / "plain"), *words])
    first, again, plain = (dataset.load(tmp_path / name, "train") for name in ("first", "again", "plain"))
    assert first == again
    assert [row.id for row in first] == [row.id for row in plain]
    assert all(task_of(row).target(row, OWN_COMPLETION) == row.meta[OWN_COMPLETION] for row in first)
    assert not any(OWN_COMPLETION in row.meta for row in dataset.load(tmp_path / "first", "test"))
    assert manifest.read(tmp_path / "first")["config"]["habit"] == "slips"
    assert "habit" not in manifest.read(tmp_path / "plain")["config"]


@pytest.mark.parametrize("habit", HABITS)
def test_a_habit_is_the_same_for_one_generator(habit):
    scene, relation = ITEMS[0].scene, ITEMS[0].record.relation
    assert len({HABITS[habit](scene, relation, True, Random(n)) for n in (1, 1)}) == 1
