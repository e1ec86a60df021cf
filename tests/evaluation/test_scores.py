from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiny_generations import make_generation, make_row
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.outcomes import judge_rows
from vlm_grpo.evaluation.scores import NO_VALUE, score
from vlm_grpo.statistics.intervals import wilson
from vlm_grpo.tasks import registry
from vlm_grpo.tasks.vsr.task import TASK as VSR


def arm(pairs):
    """Rows and generations of (true answer, predicted answer) pairs."""
    rows = [make_row(i, actual) for i, (actual, _) in enumerate(pairs)]
    said = [make_generation(row, answer) for row, (_, answer) in zip(rows, pairs, strict=True)]
    return {g.id: g for g in said}, rows


def judged(generations, rows):
    outcomes = judge_rows(generations, rows, rule="strict", where=Path("generations.jsonl"))
    return score(generations, rows, outcomes), outcomes


@pytest.mark.parametrize(
    "tp, fn, fp, tn, true_unparsed, accuracy, low, high, precision, f1",
    [
        # Published score files of the study (reference, section 11.5): GRPO validation, SFT validation, SFT on 5 rows.
        (135, 32, 15, 158, 0, 0.8618, 0.8210, 0.8944, 0.8652, 0.8613),
        (131, 36, 18, 155, 0, 0.8412, 0.7985, 0.8762, 0.8448, 0.8406),
        (87, 79, 2, 171, 1, 0.7588, 0.7106, 0.8012, 0.8282, 0.7452),
    ],
)
def test_published_scores(tp, fn, fp, tn, true_unparsed, accuracy, low, high, precision, f1):
    pairs = [(True, True)] * tp + [(True, False)] * fn + [(False, True)] * fp + [(False, False)] * tn
    generations, rows = arm(pairs + [(True, None)] * true_unparsed)
    scores, _ = judged(generations, rows)
    assert scores["n"] == 340
    assert scores["correct"] == tp + tn
    assert [scores[k] for k in ("accuracy", "ci_low", "ci_high", "precision", "f1")] == pytest.approx(
        [accuracy, low, high, precision, f1], abs=5e-5
    )
    assert scores["recall"] == pytest.approx(scores["accuracy"])
    assert scores["confusion"] == {
        "true_as_true": tp,
        "true_as_false": fn,
        "true_unparsed": true_unparsed,
        "false_as_true": fp,
        "false_as_false": tn,
        "false_unparsed": 0,
    }
    assert scores["parse_rate"] == pytest.approx(1 - true_unparsed / 340)
    assert (scores["predicted_true"], scores["predicted_false"]) == (tp + fp, fn + tn)


ANSWERS = st.sampled_from([True, False, None])


@given(st.lists(st.tuples(st.booleans(), ANSWERS), min_size=1, max_size=40))
def test_counts_agree_with_each_other(pairs):
    generations, rows = arm(pairs)
    scores, outcomes = judged(generations, rows)
    right = {id: outcome.right for id, outcome in outcomes.items()}
    assert scores["n"] == len(pairs) == sum(scores["confusion"].values())
    assert scores["correct"] == sum(right.values()) == sum(actual is answer for actual, answer in pairs)
    assert scores["parsed"] == scores["predicted_true"] + scores["predicted_false"]
    assert scores["accuracy"] <= scores["parse_rate"]
    assert 0 <= scores["ci_low"] <= scores["accuracy"] <= scores["ci_high"] <= 1
    assert 0 <= scores["f1"] <= 1


def test_a_pair_is_right_where_both_of_it_are_and_rows_alone_are_counted_apart():
    said = {"a": (True, True), "b": (True, False), "c": (False, False), "lost": (True,), None: (True,)}
    rows, generations = [], {}
    for pair, answers in said.items():
        for right in answers:
            row = make_row(len(rows), truth := len(rows) % 2 == 0)
            rows.append(row.model_copy(update={"task": "rel3d", "meta": {**row.meta, "pair": pair}}))
            generations[row.id] = make_generation(row, truth is right)
    scores, _ = judged(generations, rows)
    pairs = scores["pairs"]
    assert (pairs["n"], pairs["correct"], pairs["unpaired"]) == (3, 1, 2)
    assert (pairs["ci_low"], pairs["ci_high"]) == pytest.approx(wilson(1, 3))
    assert scores["correct"] == 5
    alone, _ = judged({id: generations[id] for id in ("r6", "r7")}, rows[6:])
    assert "pairs" not in alone


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_one_answer_to_everything_gets_no_pair_right(words):
    generations, rows = arm([(actual, word) for word in words for actual in (True, False)])
    paired = [
        row.model_copy(update={"task": "rel3d", "meta": {**row.meta, "pair": f"p{number // 2}"}})
        for number, row in enumerate(rows)
    ]
    scores, _ = judged(generations, paired)
    assert (scores["pairs"]["n"], scores["pairs"]["correct"], scores["accuracy"]) == (len(words), 0, 0.5)


def test_relations_clipping_and_lengths():
    rows = [make_row(0, True, "left of"), make_row(1, False, "left of"), make_row(2, True, "on"), make_row(3, True)]
    said = {
        "r0": make_generation(rows[0], True, completion_tokens=2),
        "r1": make_generation(rows[1], True, completion_tokens=4),
        "r2": make_generation(rows[2], True, completion_tokens=6),
        "r3": make_generation(rows[3], None, completion_tokens=8, finish_reason="length"),
    }
    scores, _ = judged(said, rows)
    shares = {name: (r["correct"], r["n"], r["accuracy"]) for name, r in scores["relations"].items()}
    assert shares == {"left of": (1, 2, 0.5), "on": (1, 1, 1.0), NO_VALUE: (0, 1, 0.0)}
    assert scores["clipped"] == 1
    assert scores["clip_rate"] == 0.25
    assert scores["mean_completion_tokens"] == 5


def test_a_missing_or_surplus_generation_is_told():
    generations, rows = arm([(True, True), (False, True)])
    with pytest.raises(UserError, match=r"generations.jsonl has row 'r1' \(0 of 1 rows missing, 1 foreign\)"):
        judged(generations, rows[:1])
    with pytest.raises(UserError, match=r"generations.jsonl lacks row 'r1' \(1 of 2 rows missing, 0 foreign\)"):
        judged({"r0": generations["r0"]}, rows)


def test_reasoning_kept_is_the_share_of_thoughts_that_are_not_empty():
    rows = [make_row(i, True) for i in range(4)]
    texts = ["<think> a </think> <answer> True </answer>", "<answer> True </answer>", "<think> </think>", "a"]
    said = {row.id: make_generation(row, True, text=text) for row, text in zip(rows, texts, strict=True)}
    scores, _ = judged(said, rows)
    assert (scores["reasoned"], scores["reasoning_rate"]) == (1, 0.25)


def test_a_graded_task_has_a_mean_credit_with_an_interval_over_pictures(monkeypatch):
    def half(said, truth, row, view):
        return 1.0 if said == truth else 0.25

    graded = replace(VSR, credit=half, right_from=0.5)
    monkeypatch.setattr(registry, "task_named", lambda name: graded)
    monkeypatch.setattr("vlm_grpo.evaluation.scores.task_named", lambda name: graded)
    pairs = [(True, True)] * 6 + [(True, False)] * 6
    generations, rows = arm(pairs)
    rows = [row.model_copy(update={"images": (f"images/{i % 6}.png",)}) for i, row in enumerate(rows)]
    scores, outcomes = judged(generations, rows)
    assert scores["mean_credit"]["value"] == pytest.approx(7.5 / 12)
    assert scores["correct"] == 6
    assert sum(outcome.credit for outcome in outcomes.values()) == 7.5
    # Every picture has one right and one wrong answer: drawn together, pictures do not differ.
    assert (scores["mean_credit"]["ci_low"], scores["mean_credit"]["ci_high"]) == (None, None)
    apart = [row.model_copy(update={"images": (f"images/{i}.png",)}) for i, row in enumerate(rows)]
    credit = judged(generations, apart)[0]["mean_credit"]
    assert credit["ci_low"] < credit["value"] < credit["ci_high"]


def test_rows_of_several_tasks_are_scored_by_task():
    generations, rows = arm([(True, True), (True, False)])
    rows = [rows[0], rows[1].model_copy(update={"task": "synthetic_vsr"})]
    scores, _ = judged(generations, rows)
    assert scores["task"] == "mixed"
    assert {name: figures["correct"] for name, figures in scores["tasks"].items()} == {"vsr": 1, "synthetic_vsr": 0}
    assert "confusion" not in scores
