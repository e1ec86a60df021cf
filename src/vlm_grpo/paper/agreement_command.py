"""The command behind `alignment_judge/agreement.py`: judge against human, against judge, and against itself."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlm_grpo.alignment import agreement
from vlm_grpo.alignment.agreement import Agreement, Corrected
from vlm_grpo.alignment.sources import judges_of, kinds_of
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.paper import published
from vlm_grpo.paths import user_path
from vlm_grpo.statistics.agreement import Labelled
from vlm_grpo.statistics.intervals import Estimate
from vlm_grpo.store import strict_json
from vlm_grpo.tables import RENDERERS


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        prog="agreement.py",
        description="Agreement of judges and people. Without --verdicts: the study's human check, from its published "
        "counts. With --verdicts alone: its repeats against each other.",
    )
    p.add_argument(
        "--verdicts", type=user_path, help="a judge's verdicts (our verdicts.jsonl, or the original's JSON list)"
    )
    p.add_argument("--human", type=user_path, help="labels of alignment_judge/label.py, of one or more annotators")
    p.add_argument("--other", type=user_path, help="another judge's verdicts on the same items")
    p.add_argument("--format", choices=(*RENDERERS, "json"), default="text")
    p.add_argument("--paper", type=user_path, default=published.PAPER, help="folder of the published figures")
    return p


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """Print agreements and corrected rates."""
    options = parser().parse_args(arguments)
    if options.verdicts is None:
        if options.human or options.other:
            raise UserError("--human and --other are compared with --verdicts; give that too")
        agreements, corrected = _study(options.paper)
    else:
        agreements, corrected = _own(options)
    if options.format == "json":
        print(strict_json.render(_records(agreements, corrected)))
        return
    tables = [agreement.agreement_table(a) for a in agreements] + [agreement.corrected_table(c) for c in corrected]
    print("\n\n".join(map(RENDERERS[options.format], tables)))


def _study(paper: Path) -> tuple[list[Agreement], list[Corrected]]:
    """The study's human check: 50 labels of one annotator on gpt-4o's verdicts with the simple prompt."""
    facts = published.load(paper)
    human, printed = facts["human_agreement"], facts["human_agreement"]["printed"]
    mismatches = human["printed_mismatches"]
    strict = sum(not m["judge_aligns"] for m in mismatches)
    sample = Labelled(
        tp=printed["judge_misaligned"] - strict,
        fp=strict,
        fn=len(mismatches) - strict,
        tn=printed["judge_aligned"] - (len(mismatches) - strict),
    )
    judge = f"{human['judge']} ({human['prompt']} prompt)"
    table = ((sample.tn, sample.fn), (sample.fp, sample.tp))
    caveat = (
        f"{printed['total']} labels on the first 25 items of {human['split']}, both models: no random sample, made "
        "with the judge's verdict in view; they check another judge and prompt than the published table"
    )
    checked = Agreement(judge, "one annotator", (agreement.ALIGNED, agreement.MISALIGNED), table, 0, (caveat,))
    rows = [
        row
        for row in facts["alignment_simple_prompt"]
        if (row["judge"], row["split"]) == (human["judge"], human["split"])
    ]
    misaligned, total = sum(row["misaligned"] for row in rows), sum(row["total"] for row in rows)
    return [checked], [agreement.correct_counts(judge, "one annotator", misaligned, total, sample)]


def _own(options: argparse.Namespace) -> tuple[list[Agreement], list[Corrected]]:
    repeats = agreement.read_judge(options.verdicts)
    judge = judges_of(options.verdicts)
    kinds = kinds_of(options.verdicts)
    verdicts = repeats[min(repeats)]
    if options.human is None and options.other is None:
        if len(repeats) < 2:
            raise UserError(f"{options.verdicts} has one repeat; judge with --repeats 3, or give --human or --other")
        return agreement.pairs_of({f"{judge} repeat {i}": repeats[i] for i in sorted(repeats)}), []
    agreements, corrected = [], []
    if options.human is not None:
        labels = agreement.read_labels(options.human, kinds)
        for annotator, rater in labels.items():
            agreements.append(agreement.compare(judge, verdicts, annotator, rater))
            if kinds:
                agreements.append(agreement.compare(judge, verdicts, annotator, rater, kinds=kinds))
            corrected.append(agreement.correct(judge, verdicts, annotator, rater))
        agreements += agreement.pairs_of(labels)
    if options.other is not None:
        other = agreement.read_judge(options.other)
        name = judges_of(options.other)
        name = name if name != judge else f"{name} of {options.other.parent.name}"
        binary = agreement.compare(judge, verdicts, name, other[min(other)])
        if set(kinds) != set(kinds_of(options.other)):
            binary = replace(binary, notes=("types are not compared: the two judges were asked for different ones",))
        agreements.append(binary)
        if kinds and not binary.notes:
            agreements.append(agreement.compare(judge, verdicts, name, other[min(other)], kinds=kinds))
    return agreements, corrected


def _records(agreements: Sequence[Agreement], corrected: Sequence[Corrected]) -> dict[str, Any]:
    return {
        "agreements": [
            {
                "first": a.first,
                "second": a.second,
                "n": a.n,
                "left_out": a.left_out,
                "agreeing": a.agreeing,
                "kappa": _estimate(a.kappa),
                "classes": a.classes,
                "table": a.table,
                "notes": a.notes,
                "per_class": {name: a.of_class(name) for name in a.classes},
            }
            for a in agreements
        ],
        "corrected": [
            {
                "judge": c.judge,
                "human": c.human,
                "misaligned": c.misaligned,
                "n": c.n,
                "sample": c.sample._asdict(),
                "rogan_gladen": _estimate(c.rogan_gladen),
                "prediction_powered": _estimate(c.prediction_powered),
            }
            for c in corrected
        ],
    }


def _estimate(estimate: Estimate | None) -> dict[str, float] | None:
    return estimate and {"value": estimate.value, "ci_low": estimate.interval.low, "ci_high": estimate.interval.high}


if __name__ == "__main__":
    main()
