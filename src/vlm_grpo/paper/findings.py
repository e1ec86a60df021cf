"""What is wrong with the published scores, as far as the stored files alone show it (reference, section 12.1).

Each finding has the numbers that show it; one whose numbers no longer hold raises `ValueError`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlm_grpo.paper.recomputed import CELLS, name_of
from vlm_grpo.statistics.intervals import wilson


@dataclass(frozen=True, slots=True)
class Finding:
    """One discrepancy: what is wrong, and the numbers that show it."""

    title: str
    evidence: tuple[str, ...]


def findings(published: Mapping[str, Any]) -> list[Finding]:
    """Every finding that follows from the published figures, in the order of reference section 12.1."""
    scores = {name_of(score): score for score in published["scores"]}
    return [
        _counted_twice(scores),
        _all_is_validation(scores),
        _first_rows_of_test(scores, published),
        _two_units(scores),
        _figure_without_file(scores, published),
        _two_splits_in_a_row(published),
        _pasted_accuracies(published),
        _other_judge_checked(published),
        _not_deterministic(scores, published),
    ]


def _ensure(holds: bool, claim: str) -> None:
    if not holds:
        raise ValueError(f"published.json no longer shows that {claim}")


def _counts(score: Mapping[str, Any]) -> tuple[int, int]:
    return score["derived"]["correct"], score["derived"]["n"]


def _cells(score: Mapping[str, Any]) -> list[int]:
    return [score["derived"]["confusion_true_is_positive"][cell[0]] for cell in CELLS]


def _share(k: int, n: int) -> str:
    return f"{k}/{n} = {100 * k / n:.2f} %"


def _interval(k: int, n: int) -> str:
    low, high = wilson(k, n)
    return f"[{100 * low:.2f}, {100 * high:.2f}]"


def _counted_twice(scores: Mapping[str, Mapping[str, Any]]) -> Finding:
    pooled = scores["All-Set_grpo-acc_0.627-Text-Biased @925e299"]
    single = scores["grpo-acc_0.627-Text-Biased @13a9dd4"]
    (k, n), (k1, n1) = _counts(pooled), _counts(single)
    _ensure(_cells(pooled) == [2 * cell for cell in _cells(single)] and n == 2 * n1, "validation is counted twice")
    return Finding(
        f"validation counted twice: {name_of(pooled)}, n = {n}",
        (
            f"tp, fn, fp, tn = {_cells(pooled)} is exactly twice {_cells(single)} of {name_of(single)}; "
            f"{n} = 2 × {n1}, where validation and the test rows used make 765",
            f"the accuracy {_share(k, n)} is validation's {k1}/{n1}; its interval "
            f"{_interval(k, n)} should be {_interval(k1, n1)}",
        ),
    )


def _all_is_validation(scores: Mapping[str, Mapping[str, Any]]) -> Finding:
    labelled = scores["All-Set_sft-acc_0.69-Text-Biased @925e299"]
    test = scores["sft-acc_0.69-Text-Biased-Test-Set @bda1eac"]
    rival = scores["All-Set_grpo-acc_0.69-Text-Biased @bda1eac"]
    (k, n), (k_test, n_test), (k_rival, n_rival) = _counts(labelled), _counts(test), _counts(rival)
    _ensure(n == 340 and n + n_test == n_rival, "the file called All holds validation only")
    pooled = (k + k_test) / n_rival
    return Finding(
        f"“All” that is validation only: {name_of(labelled)}, n = {n}",
        (
            f"{_share(k, n)}; the other Qwen files called All have n = {n_rival} (or 680, above)",
            f"pooled with its own test file, ({k} + {k_test})/({n} + {n_test}) = {100 * pooled:.2f} %, which is below "
            f"GRPO's {_share(k_rival, n_rival)}: that SFT wins under mild bias is an artefact",
        ),
    )


def _first_rows_of_test(scores: Mapping[str, Mapping[str, Any]], published: Mapping[str, Any]) -> Finding:
    whole, first = published["vsr_counts"]["test"], published["vsr_counts"]["test_first_425"]
    tests = [score for score in scores.values() if score["split"] == "test"]
    qwen = [score for score in tests if score["model_family"] == "qwen"]
    smolvlm = [score for score in tests if score["model_family"] == "smolvlm"]
    for score in qwen:
        tp, fn, fp, tn = _cells(score)
        _ensure((tp + fn, fp + tn) == (first["true"], first["false"]), f"{name_of(score)} has the first 425 rows")
    _ensure({_counts(score)[1] for score in smolvlm} == {whole["rows"]}, "SmolVLM is tested on the whole split")
    return Finding(
        f"“test” is the first {first['rows']} of {whole['rows']:,} rows for Qwen",
        (
            f"all {len(qwen)} Qwen test files have n = {first['rows']} with {first['true']} True and {first['false']} "
            f"False items, as the first {first['rows']} rows of the split have; the split has {whole['true']} and "
            f"{whole['false']}",
            f"the {len(smolvlm)} SmolVLM test files have n = {whole['rows']:,}: the two columns are not comparable",
        ),
    )


def _two_units(scores: Mapping[str, Mapping[str, Any]]) -> Finding:
    mixed = [s for s in scores.values() if s["accuracy_unit"] == "percent" and s["ci_low"] is not None]
    _ensure(all(s["accuracy"] > 1 >= s["ci_high"] for s in mixed) and bool(mixed), "two units stand in one file")
    bare = [name_of(s) for s in scores.values() if s["ci_low"] is None]
    shown = mixed[0]
    return Finding(
        f"accuracy in percent beside an interval in fractions: {len(mixed)} files",
        (
            "; ".join(map(name_of, mixed)),
            f"for example {name_of(shown)}: "
            f"{shown['accuracy']:.2f} beside [{shown['ci_low']:.4f}, {shown['ci_high']:.4f}]",
            f"{len(bare)} more files hold an accuracy in percent and no interval at all: {'; '.join(bare)}",
        ),
    )


def _figure_without_file(scores: Mapping[str, Mapping[str, Any]], published: Mapping[str, Any]) -> Finding:
    figure = published["project_page_tables"]["text_bias"]["Biased VSR"][0]
    rates = {name: 100 * score["derived"]["correct"] / score["derived"]["n"] for name, score in scores.items()}
    _ensure(all(round(rate, 1) != figure for rate in rates.values()), f"no file rounds to {figure}")
    nearest = sorted(rates, key=lambda name: abs(rates[name] - figure))[:3]
    shown = "; ".join(f"{name}: {rates[name]:.2f} % (F1 {scores[name]['f1_weighted']:.4f})" for name in nearest)
    return Finding(
        f"the {figure} of the report's bias table (SFT on Biased VSR) has no file",
        (
            f"none of the {len(rates)} stored accuracies rounds to {figure}; the nearest are {shown}",
            "the file of the same model and bias is the validation-only one above; every other cell of that table is a "
            "pooled accuracy over 765 rows",
        ),
    )


def _two_splits_in_a_row(published: Mapping[str, Any]) -> Finding:
    page = {row["model"]: row for row in published["project_page_tables"]["alignment"]}
    judged = {(row["split"], row["model"]): row for row in published["alignment"]}
    evidence = []
    for label, model, correct in (("Qwen-Instruct", "base", 240), ("Qwen-GRPO", "grpo", 294)):
        test, validation = judged["test", model], judged["validation", model]
        row = page[label]
        _ensure(round(100 * correct / 340, 2) == row["accuracy"], f"the accuracy of {label} is validation's")
        _ensure(round(100 - 100 * test["misaligned"] / test["total"], 2) == row["alignment"], "alignment is test's")
        evidence.append(
            f"{label}: accuracy {row['accuracy']} = {correct}/340 (validation), alignment {row['alignment']} = "
            f"1 - {test['misaligned']}/{test['total']} (test). On one split: test {test['accuracy_pct_printed']} and "
            f"{test['aligned_pct_derived']}, validation {validation['accuracy_pct_printed']} and "
            f"{validation['aligned_pct_derived']}"
        )
    return Finding("alignment and accuracy of the report's table come from different splits", tuple(evidence))


def _pasted_accuracies(published: Mapping[str, Any]) -> Finding:
    pasted = [row for row in published["alignment_simple_prompt"] if row["split"] == "validation" and "note" in row]
    _ensure({row["total"] for row in pasted} == {350}, "test accuracies stand beside validation")
    evidence = [
        f"{row['judge']}, validation, {row['model']}: printed beside {row['correct']}/{row['total']} (test); "
        f"{row['misaligned']} misaligned is {row['misaligned_pct_printed']} % of 340, not of {row['total']} "
        f"({100 * row['misaligned'] / row['total']:.2f} %)"
        for row in pasted
    ]
    return Finding("test accuracies pasted beside validation's alignment (simple prompt)", tuple(evidence))


def _other_judge_checked(published: Mapping[str, Any]) -> Finding:
    human, judge = published["human_agreement"], published["alignment"][0]
    printed = human["printed"]
    _ensure((human["judge"], human["prompt"]) != (judge["judge"], judge["prompt"]), "another judge was checked")
    return Finding(
        "the human check belongs to another judge and prompt than the published table",
        (
            f"{printed['total']} labels of {human['annotators']} annotator check {human['judge']} with the "
            f"{human['prompt']} prompt; the table rests on {judge['judge']} with the {judge['prompt']} prompt, which "
            "nobody checked",
            f"{printed['total'] - printed['mismatches']} of {printed['total']} agree; of the judge's "
            f"{printed['judge_misaligned']} “misaligned”, {human['derived']['agreement_on_judge_misaligned']} hold "
            "(`python alignment_judge/agreement.py`)",
        ),
    )


def _not_deterministic(scores: Mapping[str, Mapping[str, Any]], published: Mapping[str, Any]) -> Finding:
    grpo = [name for name in scores if name.startswith(("grpo @", "grpo-valid-set copy @"))]
    counts = {name: "{}/{}".format(*_counts(scores[name])) for name in grpo}
    _ensure(len(set(counts.values())) > 1, "one model has two accuracies on validation")
    base = next(r for r in published["alignment"] if (r["split"], r["model"]) == ("validation", "base"))
    stored = "{}/{}".format(*_counts(scores["base @9bb487c"]))
    return Finding(
        "several accuracies for one model on one split: decoding was not deterministic",
        (
            "GRPO on validation: " + "; ".join(f"{name} {count}" for name, count in counts.items()),
            f"base on validation: {stored} in its score file, {base['correct']}/{base['total']} where it was judged",
        ),
    )
