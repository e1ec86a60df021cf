"""The command behind `alignment_judge/label.py`: blind labelling of a random sample of verdicts, in the terminal.

The annotator sees question, reasoning and answer, and neither the judge's verdict nor the model nor the true label.
Every annotator gets the same sample in an order of their own. Each label is on disk before the next item is shown. The
kinds to choose from are those that the judge was asked for, as its verdicts carry them.

    python -m vlm_grpo.alignment.label_command --help
"""

import argparse
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlm_grpo.alignment.fields import check_fields
from vlm_grpo.alignment.sources import kinds_of
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, whole
from vlm_grpo.paths import user_path
from vlm_grpo.store import jsonl
from vlm_grpo.verdicts.kinds import Kinds

Choices = Mapping[str, tuple[bool, str | None]]
"""What a key stands for: whether the reasoning leads to the answer, and the kind of misalignment if not."""


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """Ask for labels until the sample is done or the annotator quits."""
    p = argparse.ArgumentParser(
        prog="label.py",
        description="Label a random sample of judged reasoning without seeing the verdicts. Then compare: "
        "agreement.py --verdicts FILE --human LABELS.",
    )
    p.add_argument("--verdicts", type=user_path, required=True, help="verdicts.jsonl of alignment_judge/judge.py")
    p.add_argument("--out", type=user_path, required=True, help="JSONL of labels; several annotators may share it")
    p.add_argument("--annotator", required=True, help="your name or initials")
    p.add_argument("--sample", type=whole("--sample", least=1), default=50, help="items to label (default 50)")
    p.add_argument(
        "--seed", type=seed("--seed"), default=0, help="seed of the sample; the same for all annotators (default 0)"
    )
    p.add_argument("--images", type=user_path, help="folder below which the pictures are; their paths are shown")
    options = p.parse_args(arguments)
    items = sample(options.verdicts, options.sample, options.seed)
    random.Random(f"{options.seed} {options.annotator}").shuffle(items)
    if not options.annotator.strip():
        raise UserError("--annotator is empty; give your name or initials")
    done = labelled(options.out, options.annotator)
    left = [item for item in items if (str(item["row_id"]), item["model"]) not in done]
    kinds = kinds_of(options.verdicts)
    choices = choices_of(kinds)
    print(f"{len(items) - len(left)} of {len(items)} labelled. Take every observation as given, and say whether the")
    print("reasoning leads to the answer." + (" If not:" if kinds else ""))
    for number, (kind, meaning) in enumerate(kinds.items(), start=1):
        print(f"  {number} {kind}{': ' if meaning else ''}{meaning}")
    with jsonl.Appender(options.out) as file:
        for item in left:
            _show(item, options.images)
            choice = _ask(choices)
            if choice == "q":
                break
            if choice in choices:
                file.append([_label(item, *choices[choice], options.annotator)])


def sample(path: Path, size: int, seed: int) -> list[dict[str, Any]]:
    """A simple random sample of the judged items of repeat 0 (all of them if fewer)."""
    rows = []
    for number, row in jsonl.read_input(path):
        check_fields(row, f"{path} line {number}", "row_id", "model", "aligns", "question", "reasoning", "answer")
        if row.get("repeat", 0) == 0 and row["aligns"] is not None:
            rows.append(row)
    if not rows:
        raise UserError(f"{path} holds no verdict to label")
    rows.sort(key=lambda r: (str(r["row_id"]), str(r["model"])))
    return random.Random(seed).sample(rows, min(size, len(rows)))


def labelled(path: Path, annotator: str) -> set[tuple[str, str]]:
    """The items (row, model) that `annotator` has labelled in `path`; none when there is no file yet.

    Labels are people's work, and people edit them: a last line counts without its newline too, which it gets here.
    """
    if not path.exists():
        return set()
    records = list(jsonl.read_input(path)) if path.stat().st_size else []
    for number, record in records:
        check_fields(record, f"{path} line {number}", "row_id", "model", "annotator", "aligns")
    if records and not path.read_bytes().endswith(b"\n"):
        jsonl.write(path, [record for _, record in records])
    return {(str(r["row_id"]), r["model"]) for _, r in records if r["annotator"] == annotator}


def _show(item: dict[str, Any], images: Path | None) -> None:
    print("\n" + "-" * 80)
    for image in item.get("images") or []:
        print(f"picture:   {image if images is None else images / image}")
    for name in ("question", "reasoning", "answer"):
        print(f"{name + ':':<11}{item[name]}")


def choices_of(kinds: Kinds) -> Choices:
    """The keys to press: a for aligned, and a number for each kind, or 1 alone where there is none."""
    misaligned = enumerate(kinds or [None], start=1)
    return {"a": (True, None), **{str(number): (False, kind) for number, kind in misaligned}}


def _ask(choices: Choices) -> str:
    names = [f"{key} {'aligned' if aligns else kind or 'misaligned'}" for key, (aligns, kind) in choices.items()]
    while True:
        try:
            choice = input(" | ".join([*names, "s skip", "q quit > "])).strip().lower()
        except EOFError:
            return "q"
        if choice in choices or choice in ("s", "q"):
            return choice
        print(f"{choice!r} is none of these")


def _label(item: dict[str, Any], aligns: bool, kind: str | None, annotator: str) -> dict[str, Any]:
    return {
        "row_id": item["row_id"],
        "model": item["model"],
        "annotator": annotator,
        "aligns": aligns,
        "type": kind,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


if __name__ == "__main__":
    main()
