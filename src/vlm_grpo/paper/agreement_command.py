"""The command behind `alignment_judge/agreement.py`: judge against human, against judge, and against itself."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from vlm_grpo.alignment import agreement
from vlm_grpo.alignment.agreement import Agreement, Corrected
from vlm_grpo.alignment.panel import panel_of, panel_table
from vlm_grpo.alignment.sources import judges_of, kinds_of, read_rows, read_stored
from vlm_grpo.alignment.successors import Succession, succession, succession_tables
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.paper import published
from vlm_grpo.paper.agreement_records import Compared, records
from vlm_grpo.paths import user_path
from vlm_grpo.statistics.agreement import Labelled
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
    p.add_argument(
        "--other",
        type=user_path,
        action="append",
        default=[],
        help="another judge's verdicts on the same items; once or more often",
    )
    p.add_argument(
        "--successor",
        action="append",
        default=[],
        metavar="[SPLIT=]FILE",
        help="verdicts of the judge of --verdicts on the items of a stored split, one file a split: it succeeds the "
        "study's judge, and its rates are told as that one would have given them",
    )
    p.add_argument("--format", choices=(*RENDERERS, "json"), default="text")
    p.add_argument("--paper", type=user_path, default=published.PAPER, help="folder of the published figures")
    return p


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """Print agreements and corrected rates."""
    options = parser().parse_args(arguments)
    compared = Compared()
    if options.verdicts is None and (options.human or options.other):
        raise UserError("--human and --other are compared with --verdicts; give that too")
    if options.successor:
        compared.successions = [_succession(options)]
    if options.verdicts is None and not options.successor:
        compared.agreements, compared.corrected = _study(options.paper)
    elif options.verdicts is not None and (options.human or options.other or not options.successor):
        _own(options, compared)
    if options.format == "json":
        print(strict_json.render(records(compared)))
        return
    tables = [
        *map(agreement.agreement_table, compared.agreements),
        *map(panel_table, compared.panels),
        *map(agreement.corrected_table, compared.corrected),
        *(table for one in compared.successions for table in succession_tables(one)),
    ]
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


def _own(options: argparse.Namespace, compared: Compared) -> None:
    """Put into `compared` what the options ask of one's own verdicts."""
    repeats = agreement.read_judge(options.verdicts)
    judge = judges_of(options.verdicts)
    kinds = kinds_of(options.verdicts)
    verdicts = repeats[min(repeats)]
    if options.human is None and not options.other:
        if len(repeats) < 2:
            raise UserError(f"{options.verdicts} has one repeat; judge with --repeats 3, or give --human or --other")
        raters = {f"{judge} repeat {i}": repeats[i] for i in sorted(repeats)}
        compared.agreements = agreement.pairs_of(raters)
        compared.panels = [panel_of(raters)] if len(raters) > 2 else []
        return
    agreements, corrected = compared.agreements, compared.corrected
    if options.human is not None:
        labels = agreement.read_labels(options.human, kinds)
        for annotator, rater in labels.items():
            agreements.append(agreement.compare(judge, verdicts, annotator, rater))
            if kinds:
                agreements.append(agreement.compare(judge, verdicts, annotator, rater, kinds=kinds))
            corrected.append(agreement.correct(judge, verdicts, annotator, rater))
        agreements += agreement.pairs_of(labels)
    if options.other:
        _panel(options, compared)


def _panel(options: argparse.Namespace, compared: Compared) -> None:
    """Every two of the judges on the same items, and all of them together, by type where all know the same ones."""
    raters: dict[str, agreement.Rater] = {}
    for path in (options.verdicts, *options.other):
        repeats, name = agreement.read_judge(path), judges_of(path)
        name = name if name not in raters else f"{name} of {path.parent.name}"
        if name in raters:
            raise UserError(f"{path}: {name} is there already; give each judge's verdicts once")
        raters[name] = repeats[min(repeats)]
    kinds = kinds_of(options.verdicts)
    is_by_type = all(set(kinds_of(path)) == set(kinds) for path in options.other)
    notes = () if is_by_type else ("types are not compared: the judges were asked for different ones",)
    for a, b in combinations(raters, 2):
        compared.agreements.append(replace(agreement.compare(a, raters[a], b, raters[b]), notes=notes))
        if kinds and is_by_type:
            compared.agreements.append(agreement.compare(a, raters[a], b, raters[b], kinds=kinds))
    if len(raters) > 2:
        compared.panels.append(panel_of(raters))
        if kinds and is_by_type:
            compared.panels.append(panel_of(raters, kinds=kinds))


def _succession(options: argparse.Namespace) -> Succession:
    """The judge of --successor on the stored items, and on those of --verdicts where that is given."""
    new: dict[str, agreement.Rater] = {}
    stored: dict[str, agreement.Rater] = {}
    judges = set()
    for word in options.successor:
        named, _, place = word.rpartition("=")
        path = user_path(place)
        split = named or _split_of(path)
        if split not in published.SPLITS or split in new:
            raise UserError(f"--successor {word}: split {split!r}; give {', '.join(published.SPLITS)} once each")
        repeats = agreement.read_judge(path)
        new[split] = repeats[min(repeats)]
        items = read_stored(options.paper / "alignment" / f"{split}.tsv", "published")
        stored[split] = {
            (item.item, item.model): agreement.ALIGNED if item.aligns else agreement.MISALIGNED for item in items
        }
        judges.add(judges_of(path))
    others: dict[str, agreement.Rater] = {}
    if options.verdicts is not None:
        repeats = agreement.read_judge(options.verdicts)
        by_model: dict[str, dict[agreement.Key, str]] = {}
        for key, value in repeats[min(repeats)].items():
            by_model.setdefault(key[1], {})[key] = value
        others = {f"{options.verdicts.parent.name}, {model}": rater for model, rater in by_model.items()}
        judges.add(judges_of(options.verdicts))
    if len(judges) > 1:
        raise UserError(f"verdicts of {' and of '.join(sorted(judges))}; one judge succeeds another, with one prompt")
    return succession(judges.pop(), new, published.JUDGE, stored, others=others)


def _split_of(path: Path) -> str | None:
    splits = {row.get("split") for _, row in read_rows(path)}
    return splits.pop() if len(splits) == 1 else None


if __name__ == "__main__":
    main()
