"""From VSR's captions to a data set on disk: which rows and pictures are wanted, fetching them, saving what is whole.

The command line is `datasets.vsr`; reading captions is `datasets.vsr_source`.
"""

import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.download import Fetched, Policy, fetch_pictures
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.tasks.vsr.captions import Caption, CaptionSource
from vlm_grpo.tasks.vsr.columns import NAME, VsrRecord, to_row

DROPPED = "dropped.jsonl"


@dataclass(frozen=True, kw_only=True)
class LengthLimit:
    """Leave out rows that the checkpoint `model` cannot be asked, or that take it more than `tokens` prompt tokens.

    `prompt` is the template that they are counted with.
    """

    model: str
    tokens: int
    prompt: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is built of a source.

    Attributes:
        rows: captions to take from the start of each split; None takes all.
        mirror: address that takes the place of scheme and host in every `image_link`.
        max_dropped: largest share of a split's rows (0 to 1) that may be left out.
        longest: limit on the length of prompts.
        policy: how hard to try to fetch pictures.
    """

    rows: int | None = None
    mirror: str | None = None
    max_dropped: float = 1.0
    longest: LengthLimit | None = None
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class BuildPlan:
    """Captions to keep by split, the place of each picture by its address, and the rows left out so far."""

    captions: dict[str, list[Caption]]
    pictures: dict[str, str]
    addresses: dict[str, str]
    dropped: list[dict[str, Any]]

    def missing(self, out: Path) -> list[str]:
        """Addresses of the pictures that have no file under `out` yet."""
        return [address for address, name in self.pictures.items() if not (out / name).is_file()]


def plan(source: CaptionSource, options: Options) -> BuildPlan:
    """Decide which captions and pictures are wanted; nothing is fetched or written."""
    captions: dict[str, list[Caption]] = {}
    dropped: list[dict[str, Any]] = []
    for split, of_split in source.captions.items():
        captions[split] = []
        first: dict[tuple[str, str], Caption] = {}
        for caption in of_split[: options.rows]:
            before = first.setdefault((caption.image_link, caption.caption), caption)
            if before is caption:
                captions[split].append(caption)
            elif before.label == caption.label:
                dropped.append(_drop(split, caption.id, f"repeats {before.id}"))
            else:
                raise UserError(
                    f"{source.name}, split {split!r}: {before.id} and {caption.id} give one caption of one picture "
                    "different labels; remove the wrong one"
                )
    addresses = {c.image_link: _mirrored(c.image_link, options.mirror) for kept in captions.values() for c in kept}
    if options.mirror is not None:
        _check_hosts(addresses)
    return BuildPlan(captions, _places(captions, addresses), addresses, dropped)


def _places(captions: dict[str, list[Caption]], addresses: dict[str, str]) -> dict[str, str]:
    places: dict[str, str] = {}
    owners: dict[str, str] = {}
    for kept in captions.values():
        for caption in kept:
            address = addresses[caption.image_link]
            if address not in places:
                other = owners.setdefault(caption.image, address)
                if other != address:
                    raise UserError(f"{other} and {address} are both called {caption.image}; give them different names")
                places[address] = f"images/{caption.image}"
    return places


def _mirrored(link: str, mirror: str | None) -> str:
    """The address of a picture: its path and query, on the mirror where there is one."""
    if mirror is None:
        return link
    parts = urlsplit(link)
    return f"{mirror.rstrip('/')}/{parts.path.lstrip('/')}" + (f"?{parts.query}" if parts.query else "")


def _check_hosts(addresses: dict[str, str]) -> None:
    """`UserError` where a mirror has one address for the pictures of two hosts."""
    owners: dict[str, str] = {}
    for link, address in addresses.items():
        other = owners.setdefault(address, link)
        if urlsplit(other).netloc != urlsplit(link).netloc:
            raise UserError(
                f"{other} and {link} are both {address} on the mirror; build them as data sets of their own"
            )


def _drop(split: str, id: str, reason: str) -> dict[str, Any]:
    return {"split": split, "id": id, "reason": reason}


def build(out: Path, source: CaptionSource, options: Options) -> Fetched:
    """Fetch the pictures of `source` into `out/images` and save its splits there; tell what was fetched.

    A data set that is complete is left alone; one that another run began is a `UserError`.
    """
    started = time.monotonic()
    wanted = plan(source, options)
    longest = asdict(options.longest) if options.longest else None
    manifest.claim(
        out, {"kind": dataset.KIND, "task": NAME, "sha256": source.hashes, "rows": options.rows, "longest": longest}
    )
    with only_writer(out, doing="building"):
        if manifest.exists(out) and not wanted.missing(out):
            return Fetched(kept=len(wanted.pictures))
        (out / "images").mkdir(exist_ok=True)
        outcome = fetch_pictures({address: out / name for address, name in wanted.pictures.items()}, options.policy)
        splits, dropped = _rows(wanted, outcome)
        if options.longest is not None:
            splits, unfit = _askable(splits, options.longest, root=out)
            dropped += unfit
        jsonl.write(out / DROPPED, dropped)
        _check_dropped(out, splits, dropped, options.max_dropped)
        dataset.save(
            out,
            splits,
            source=source.described(),
            config={"rows": options.rows, "mirror": options.mirror, "longest": longest, **asdict(options.policy)},
            seconds=time.monotonic() - started,
            dropped=dropped,
        )
    return outcome


def _rows(wanted: BuildPlan, outcome: Fetched) -> tuple[dict[str, list[Row]], list[dict[str, Any]]]:
    splits: dict[str, list[Row]] = {}
    dropped = list(wanted.dropped)
    for split, captions in wanted.captions.items():
        splits[split] = []
        for caption in captions:
            address = wanted.addresses[caption.image_link]
            if address in outcome.failed:
                dropped.append(_drop(split, caption.id, f"picture {address}: {outcome.failed[address]}"))
                continue
            columns = caption.model_dump(exclude={"id", "image"})
            splits[split].append(to_row(VsrRecord(image_path=wanted.pictures[address], **columns), id=caption.id))
    return splits, dropped


def _askable(
    splits: dict[str, list[Row]], longest: LengthLimit, *, root: Path
) -> tuple[dict[str, list[Row]], list[dict[str, Any]]]:
    """The rows that the checkpoint can be asked, in few enough tokens, and those left out."""
    # Imported here: torch and transformers are needed for this filter only.
    from vlm_grpo.adapters.askable import Askable
    from vlm_grpo.adapters.checkpoint import open_checkpoint
    from vlm_grpo.adapters.lengths import PromptLengths, too_long
    from vlm_grpo.tasks.asking import messages

    checkpoint = open_checkpoint(longest.model)
    processor = checkpoint.load_processor()
    askable = Askable(checkpoint.adapter, processor, root=root)
    lengths = PromptLengths(checkpoint.adapter, processor, root=root, ask=partial(messages, template=longest.prompt))
    kept: dict[str, list[Row]] = {split: [] for split in splits}
    dropped = []
    for split, rows in splits.items():
        for row in rows:
            reason = askable.fault(row)
            if reason is None and (tokens := lengths(row)) > longest.tokens:
                reason = too_long(tokens, longest.tokens)
            if reason is None:
                kept[split].append(row)
            else:
                dropped.append(_drop(split, row.id, reason))
    return kept, dropped


def _check_dropped(out: Path, splits: dict[str, list[Row]], dropped: list[dict[str, Any]], max_dropped: float) -> None:
    for split, rows in splits.items():
        gone = [entry for entry in dropped if entry["split"] == split]
        if not gone or (rows and len(gone) <= max_dropped * (len(rows) + len(gone))):
            continue
        raise UserError(
            f"{out}: {len(gone)} of {len(rows) + len(gone)} rows of split {split!r} were dropped, the first because: "
            f"{gone[0]['reason']}; all are in {out / DROPPED}; run the same command again, or mend the source"
        )
