"""Build a vision-biased copy of a data set: a visual cue that says the answer, on a share of the training rows.

    python -m vlm_grpo.bias.vision --data data/vsr --settings published --out data/vsr_vision_published
    python -m vlm_grpo.bias.vision --data data/vsr --cue patch --probability 0.9 --out data/vsr_vision_patch_0.9
    python -m vlm_grpo.bias.vision --data data/vsr --settings published --on-the-fly --out data/vsr_vision_published

Training rows carry the cue with the given probability, red where the label is True and blue where it is False. Each
other split is there clean and twice more: with the cue on the side of every label (test_cued) and against it
(test_counter). Every row gets a picture of its own, every picture is written alike, and the source is never touched.
The same command gives the same bytes, and goes on where it was stopped.

With --on-the-fly no picture is written: those of the source are linked, and the cue is put on them whenever training,
evaluation or a probe opens one. The pixels are the same, the disk is spared, opening takes longer.
"""

import argparse
from typing import Any

from vlm_grpo.bias.marks import GROUPS
from vlm_grpo.bias.vision.build import build, plan
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.cues import DEFAULTS, PAINTERS, SETTINGS, Cue
from vlm_grpo.store import manifest


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    given = parser().parse_args(arguments)
    cue = cue_of(given)
    splits = tuple(dict.fromkeys(given.splits))
    if given.workers < 1:
        raise UserError(f"--workers {given.workers} is below 1")
    if given.dry_run:
        print(f"would build {given.out} from {given.data} with {cue}")
        for split, items in plan(given.data, given.out, cue, splits=splits, is_on_the_fly=given.on_the_fly).items():
            print(f"{split}: {len(items)} rows")
        return
    is_new = build(given.data, given.out, cue, splits=splits, is_on_the_fly=given.on_the_fly, workers=given.workers)
    built = manifest.read(given.out, kind=dataset.KIND)
    for split, groups in built["bias_groups"].items():
        counts = ", ".join(f"{groups[group]} {group}" for group in GROUPS if group in groups)
        print(f"{split}: {built['counts'][split]} rows ({counts})")
    shared = ", ".join(f"{pair} {count}" for pair, count in built["shared_source_images"].items() if count)
    print(f"pictures of the source in two splits: {shared or 'none'}")
    print(f"data set: {given.out}{'' if is_new else ' (complete already)'}")


def parser() -> argparse.ArgumentParser:
    """Every option, with what it does and its default."""
    made = argparse.ArgumentParser(
        prog="python -m vlm_grpo.bias.vision",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--data", type=user_path, required=True, metavar="FOLDER", help="data set to copy")
    made.add_argument("--out", type=user_path, required=True, metavar="FOLDER", help="the biased data set")
    made.add_argument("--splits", nargs="+", default=["train"], metavar="SPLIT", help="splits to bias (default train)")
    cue = made.add_argument_group("the cue, by name or one by one")
    cue.add_argument("--settings", choices=SETTINGS, help="settings by name; published: tint, .15, .3, .5")
    cue.add_argument("--cue", choices=PAINTERS, help="kind of cue")
    cue.add_argument("--strength", type=float, help="of its colour, 0 to 1 (default: by kind)")
    cue.add_argument("--probability", type=float, help="share of the rows that carry it, 0 to 1 (default 0.3)")
    cue.add_argument("--mask_fraction", type=float, help="share of a picture that it covers, 0 to 1 (default: by kind)")
    made.add_argument(
        "--seed", type=seed("--seed"), default=42, help="which rows carry it, and the tint's pixels (default 42)"
    )
    made.add_argument("--on-the-fly", action="store_true", help="link pictures, and cue them when they are opened")
    made.add_argument("--workers", type=int, default=1, help="processes that write pictures (default 1)")
    made.add_argument("--dry-run", action="store_true", help="tell what would be built; write nothing")
    return made


def cue_of(given: argparse.Namespace) -> Cue:
    """The cue that the options describe; `UserError` when they describe none, or contradict each other."""
    single = {name: getattr(given, name) for name in ("strength", "probability", "mask_fraction")}
    stated: dict[str, Any] = {name: value for name, value in single.items() if value is not None}
    if given.settings is not None:
        if given.cue is not None or stated:
            raise UserError(f"--settings {given.settings} says everything about the cue; leave out the other options")
        return Cue(**SETTINGS[given.settings], seed=given.seed)
    if given.cue is None:
        raise UserError(f"say which cue: --cue {'|'.join(PAINTERS)}, or --settings {'|'.join(SETTINGS)}")
    return Cue(**{"kind": given.cue, "probability": 0.3, **DEFAULTS[given.cue], **stated}, seed=given.seed)
