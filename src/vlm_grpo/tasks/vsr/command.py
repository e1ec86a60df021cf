"""Build the study's VSR data set: captions from the hub or from JSONL files, pictures from the web.

    python -m vlm_grpo.datasets.vsr --out data/vsr
    python -m vlm_grpo.datasets.vsr --out data/vsr --jsonl FOLDER          (train.jsonl, dev.jsonl, test.jsonl)
    python -m vlm_grpo.datasets.vsr --out data/vsr --jsonl train=a.jsonl,test=b.jsonl --dry-run

Each picture is fetched once, however many rows show it, and checked to be one. A run that was killed, or missed some
pictures, goes on when the same command is given again. A row whose picture cannot be had, that repeats another, or
that the model given by --model cannot be asked (too long, a control token in the text, a picture of a shape that it
does not take), is left out and listed with its reason in OUT/dropped.jsonl.
"""

import argparse
import math
from pathlib import Path
from urllib.parse import urlsplit

from vlm_grpo import prompts
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import share, whole
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.download import Fetched, Policy
from vlm_grpo.store import manifest
from vlm_grpo.tasks.vsr import captions
from vlm_grpo.tasks.vsr.build import DROPPED, LengthLimit, Options, build, plan
from vlm_grpo.tasks.vsr.captions import SPLITS, CaptionSource


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    given = parser().parse_args(arguments)
    options = Options(
        rows=given.limit,
        mirror=given.image_base_url,
        max_dropped=given.max_dropped,
        longest=length_limit(given.model, given.max_prompt_tokens, given.prompt),
        policy=Policy(workers=given.workers, timeout=given.timeout, retries=given.retries),
    )
    source = open_source(given.jsonl, given.hub_id, given.revision, given.split)
    if given.dry_run:
        tell_plan(given.out, source, options)
    else:
        tell_result(given.out, build(given.out, source, options))


def parser() -> argparse.ArgumentParser:
    """Every option, with what it does and its default."""
    made = argparse.ArgumentParser(
        prog="python -m vlm_grpo.datasets.vsr",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--out", type=user_path, required=True, help="folder of the data set; a later run goes on in it")
    source = made.add_argument_group("captions").add_mutually_exclusive_group()
    source.add_argument("--source", choices=["hub"], default="hub", help="take them from the hub (default)")
    source.add_argument(
        "--jsonl",
        metavar="FOLDER|SPLIT=FILE,...",
        help="take them from files: a folder with train.jsonl, dev.jsonl and test.jsonl, or one file for each split",
    )
    made.add_argument("--hub-id", default=captions.HUB_ID, help="data set on the hub (default %(default)s)")
    made.add_argument("--revision", help="its branch, tag or commit; the manifest keeps the commit (default: main)")
    made.add_argument("--split", nargs="+", choices=SPLITS, help="splits to build (default: all that there are)")
    made.add_argument(
        "--limit", type=whole("--limit", least=1), metavar="N", help="only the first N captions of each split"
    )
    pictures = made.add_argument_group("pictures")
    pictures.add_argument(
        "--image-base-url", type=mirror, metavar="URL", help="a mirror: takes the place of http://HOST in addresses"
    )
    pictures.add_argument(
        "--workers", type=whole("--workers", least=1), default=8, help="fetched at a time (default %(default)s)"
    )
    pictures.add_argument("--timeout", type=seconds, default=30.0, help="seconds for one attempt (default %(default)g)")
    pictures.add_argument(
        "--retries",
        type=whole("--retries", least=0),
        default=4,
        help="further attempts where trouble may pass (default %(default)s)",
    )
    pictures.add_argument(
        "--max-dropped",
        type=share("--max-dropped"),
        default=1.0,
        help="fail when more than this share of a split is dropped (default 1)",
    )
    length = made.add_argument_group("length of prompts")
    length.add_argument("--model", help="count tokens as this checkpoint does: a folder, hub id or embedded:<family>")
    length.add_argument(
        "--max-prompt-tokens",
        type=whole("--max-prompt-tokens", least=1),
        metavar="N",
        help="drop rows with longer prompts",
    )
    length.add_argument("--prompt", choices=list(prompts.TEMPLATES), default="reason", help="template (default reason)")
    made.add_argument("--dry-run", action="store_true", help="tell what would be built and fetched; write nothing")
    return made


def seconds(text: str) -> float:
    """An argparse type: a positive number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UserError(f"--timeout {text!r} is not a positive number of seconds")
    return number


def mirror(text: str) -> str:
    """An argparse type: an address that paths and queries of pictures can follow."""
    try:
        parts = urlsplit(text)
        leads_there = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        leads_there = False
    if not leads_there or parts.query or parts.fragment:
        raise UserError(f"--image-base-url {text!r} is no place of pictures; give http://HOST or http://HOST/FOLDER")
    return text


def length_limit(model: str | None, tokens: int | None, prompt: str) -> LengthLimit | None:
    """The limit that --model and --max-prompt-tokens state together; neither means nothing alone."""
    if (model is None) != (tokens is None):
        raise UserError("--model and --max-prompt-tokens go together: tokens are counted as that model does")
    return LengthLimit(model=model, tokens=tokens, prompt=prompt) if model is not None and tokens is not None else None


def open_source(jsonl: str | None, hub_id: str, revision: str | None, splits: list[str] | None) -> CaptionSource:
    """Read the captions that the options name."""
    if jsonl is None:
        return captions.from_hub(hub_id, revision, tuple(splits or SPLITS))
    if revision is not None:
        raise UserError("--revision has no effect with --jsonl; leave it out")
    if "=" not in jsonl:
        return captions.from_folder(user_path(jsonl), tuple(splits or SPLITS))
    files: dict[str, Path] = {}
    for part in jsonl.split(","):
        split, _, file = part.partition("=")
        if split not in SPLITS or not file or split in files:
            raise UserError(f"--jsonl {part!r}: expected SPLIT=FILE, once for each of {', '.join(SPLITS)}")
        files[split] = user_path(file)
    absent = [split for split in splits or files if split not in files]
    if absent:
        raise UserError(f"--jsonl names no file for split {absent[0]!r}; add {absent[0]}=FILE")
    return captions.from_files({split: files[split] for split in splits or files})


def tell_plan(out: Path, source: CaptionSource, options: Options) -> None:
    """Print what `build` would do."""
    wanted = plan(source, options)
    for split, kept in wanted.captions.items():
        pictures = len({caption.image_link for caption in kept})
        print(f"{split}: {len(kept)} rows, {pictures} pictures")
    for entry in wanted.dropped:
        print(f"would drop {entry['id']}: {entry['reason']}")
    missing = wanted.missing(out)
    hosts = ", ".join(sorted({urlsplit(address).netloc for address in missing}))
    print(f"{len(wanted.pictures)} distinct pictures, {len(wanted.pictures) - len(missing)} of them in {out}")
    print(f"would fetch {len(missing)}" + (f" from {hosts}" if hosts else "") + f", {options.policy.workers} at a time")
    if options.longest:
        print(f"would drop rows that {options.longest.model} cannot be asked in {options.longest.tokens} prompt tokens")


def tell_result(out: Path, outcome: Fetched) -> None:
    """Print the data set's counts, from its manifest."""
    built = manifest.read(out, kind=dataset.KIND)
    print(f"pictures: {outcome.fetched} fetched, {outcome.kept} there before, {len(outcome.failed)} could not be had")
    for split, rows in built["counts"].items():
        solutions = ", ".join(f"{count} {text}" for text, count in sorted(built["solutions"][split].items()))
        print(f"{split}: {rows} rows ({solutions}), {built['images'][split]} pictures")
    shared = ", ".join(f"{pair} {count}" for pair, count in built["shared_images"].items() if count)
    if shared:
        print(f"pictures in two splits: {shared}")
    if built["dropped"]:
        print(f"dropped {len(built['dropped'])} rows; the reasons are in {out / DROPPED}")
    print(f"data set: {out}")
