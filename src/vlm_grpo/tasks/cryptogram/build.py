"""`cryptogram`: messages of one, two or three English words in code, each with a picture of its own table.

Splits share neither words (hence no message) nor mappings: a hash assigns each to one of them. One seed always gives
the same bytes. `--kind word` is r1_vlm's first set (single words, 300 pixels, capitals), `--kind sequence` its second.

    python -m vlm_grpo.tasks.cryptogram.build --out data/cryptogram
    python -m vlm_grpo.tasks.cryptogram.build --out data/cryptogram_words --kind word --train 10000
    python -m vlm_grpo.tasks.cryptogram.build --out data/wide --words FILE --model Qwen/Qwen3-VL-4B-Instruct --side 448

It prints the grid of tokens that the model makes of a picture. What counts for reading is their number, not the
pixels': the same table needs 448 pixels where a token covers 32 x 32 instead of 28 x 28.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, whole
from vlm_grpo.pair_names import pair_names
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest
from vlm_grpo.tasks.cryptogram import tables, words
from vlm_grpo.tasks.cryptogram.cipher import ALPHABET, POOLS, draw_mapping, encode, pool_of, spaced
from vlm_grpo.tasks.cryptogram.grid import grid_of, image_processor
from vlm_grpo.tasks.cryptogram.questions import KINDS, NAME, Kind, problem
from vlm_grpo.tasks.cryptogram.tables import GLYPH, SIDES

DEFAULT_ROWS = {"train": 3000, "validation": 300, "test": 600}
COUNTS: dict[Kind, tuple[int, ...]] = {"word": (1,), "sequence": (1, 2, 3)}
"""How many words a message has; they take turns."""


@dataclass(frozen=True, kw_only=True)
class Cryptogram:
    """One row before it is stored: its name, the message, the mapping and the order of its pairs in the picture."""

    name: str
    message: str
    mapping: str
    order: str

    @property
    def code(self) -> str:
        """The coded message with its letters apart."""
        return spaced(encode(self.message, self.mapping))


def draw_split(split: str, rows: int, lexicon: Sequence[str], *, kind: Kind, seed: int) -> list[Cryptogram]:
    """`rows` cryptograms of `split`, no message twice; `UserError` where the words are too few for that."""
    rng = random.Random(f"cryptogram {kind} {split} {seed}")
    pool = [word for word in lexicon if pool_of(word) == split]
    counts = [COUNTS[kind][at % len(COUNTS[kind])] for at in range(rows)]
    most = min(len(pool), rows) if 1 in counts else 0
    if counts.count(1) > len(pool) or len(pool) ** 2 < 2 * rows:
        raise UserError(
            f"--{split} {rows}: of the list's {len(lexicon)} words {len(pool)} belong to this split, too few for as "
            "many different messages; give a longer list or fewer rows"
        )
    singles = iter(rng.sample(pool, most))
    messages: set[str] = set()
    mappings: set[str] = set()
    items = []
    for at, count in enumerate(rng.sample(counts, rows)):
        message = next(singles) if count == 1 else _new(lambda: " ".join(rng.choices(pool, k=count)), messages)  # noqa: B023
        mapping = _new(lambda: _mapping_of(split, rng), mappings)
        items.append(
            Cryptogram(name=f"{split}/{at:05d}", message=message, mapping=mapping, order=tables.draw_order(rng))
        )
    return items


def _mapping_of(split: str, rng: random.Random) -> str:
    return next(mapping for mapping in iter(lambda: draw_mapping(rng), "") if pool_of(mapping) == split)


def _new(draw: Callable[[], str], used: set[str]) -> str:
    """The first of what `draw` draws that is not in `used`, to which it is added."""
    text = next(text for text in iter(draw, None) if text not in used)
    used.add(text)
    return text


def as_row(item: Cryptogram, kind: Kind) -> Row:
    """The item in the project's schema."""
    return Row(
        id=f"{NAME}/{item.name}",
        images=(f"images/{item.name}.png",),
        problem=problem(kind, item.code),
        solution=item.message,
        task=NAME,
        meta={"kind": kind, "words": len(item.message.split()), "code": item.code, "mapping": item.mapping},
    )


def build(
    out: Path,
    *,
    kind: Kind,
    seed: int,
    rows: dict[str, int] | None = None,
    word_list: Path | None = None,
    count: int = words.MOST,
    side: int | None = None,
    glyph: int = GLYPH,
) -> None:
    """Write pictures and data set under `out`; `rows` maps each split to its number, `side` and `glyph` are pixels."""
    started = time.monotonic()
    rows = rows or DEFAULT_ROWS
    side = side or SIDES[kind]
    lexicon = words.load(word_list, count=count)
    source = words.source(word_list, lexicon)
    config = {"kind": kind, "source": source, "seed": seed, "rows": rows, "side": side, "glyph": glyph}
    splits = {split: draw_split(split, rows[split], lexicon, kind=kind, seed=seed) for split in POOLS}
    manifest.claim(out, {"kind": dataset.KIND, "config": config})
    for split, items in splits.items():
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
        for item in items:
            picture = tables.render(item.mapping, item.order, kind=kind, side=side, glyph=glyph)
            picture.save(out / f"images/{item.name}.png", format="PNG")
    dataset.save(
        out,
        {split: [as_row(item, kind) for item in items] for split, items in splits.items()},
        source=source,
        config=config,
        seconds=time.monotonic() - started,
        seeds={"data": seed},
        font=tables.FONT.name,
        shared=shared(splits),
    )


def shared(splits: Mapping[str, Sequence[Cryptogram]]) -> dict[str, dict[str, int]]:
    """How many messages, words and mappings each two of `splits` share, for the manifest."""
    of: dict[str, Callable[[Cryptogram], list[str]]] = {
        "messages": lambda item: [item.message],
        "words": lambda item: item.message.split(),
        "mappings": lambda item: [item.mapping],
    }
    return {
        name: {
            pair: len({x for item in splits[a] for x in parts(item)} & {x for item in splits[b] for x in parts(item)})
            for pair, (a, b) in pair_names(splits).items()
        }
        for name, parts in of.items()
    }


def tell_grid(kind: Kind, *, model: str | None, side: int, glyph: int) -> None:
    """Print what a model makes of a picture; on stderr, where a letter is smaller than what one token sees."""
    processor = image_processor(model)
    grid = grid_of(tables.render(ALPHABET, ALPHABET, kind=kind, side=side, glyph=glyph), processor)
    name = model or "Qwen2.5-VL"
    print(f"{name}: {side} x {side} pixels are {grid.columns} x {grid.rows} = {grid.tokens} image tokens")
    if not grid.fits(glyph):
        print(
            f"warning: a letter is {grid.shown(glyph):.0f} pixels high as {name} sees it, a token's patch "
            f"{grid.patch}: several may share a token, as in r1_vlm's own pictures; --glyph makes letters larger",
            file=sys.stderr,
        )


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.cryptogram.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument("--seed", type=seed("--seed"), default=0)
    parser.add_argument("--kind", choices=KINDS, default="sequence", help="one word, or one to three (default)")
    parser.add_argument("--words", type=user_path, metavar="FILE", help="word list, one a line, most frequent first")
    count = whole("--most", least=1)
    parser.add_argument("--most", type=count, default=words.MOST, metavar="N", help="words taken from the list's top")
    parser.add_argument("--model", help="checkpoint whose grid of tokens is printed (default: Qwen2.5-VL's settings)")
    side_type = whole("--side", least=150, most=4000)
    parser.add_argument("--side", type=side_type, metavar="PIXELS", help="of the picture (default 300 or 400, by kind)")
    glyph = whole("--glyph", least=4, most=200)
    parser.add_argument("--glyph", type=glyph, default=GLYPH, metavar="PIXELS", help=f"of a letter (default {GLYPH})")
    for split, default in DEFAULT_ROWS.items():
        read = whole(f"--{split}", least=1)
        parser.add_argument(f"--{split}", type=read, default=default, metavar="N", help=f"rows (default {default})")
    given = parser.parse_args(arguments)
    side = given.side or SIDES[given.kind]
    tell_grid(given.kind, model=given.model, side=side, glyph=given.glyph)
    rows = {split: getattr(given, split) for split in DEFAULT_ROWS}
    build(
        given.out,
        kind=given.kind,
        seed=given.seed,
        rows=rows,
        word_list=given.words,
        count=given.most,
        side=side,
        glyph=given.glyph,
    )
    print(f"{given.out}: " + ", ".join(f"{number} {split}" for split, number in rows.items()))


if __name__ == "__main__":
    main()
