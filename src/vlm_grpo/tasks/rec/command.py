"""Build a data set of referring expressions: RefCOCO, RefCOCO+ and RefCOCOg in one of three forms, or others like it.

    python -m vlm_grpo.tasks.rec refer --out data/refcoco --images train2014 --refs "refcoco=refcoco/refs(unc).p" \\
        "refcoco+=refcoco+/refs(unc).p" "refcocog=refcocog/refs(umd).p"
    python -m vlm_grpo.tasks.rec parquet --out data/refcoco --parquet refcoco/val=val-00000-of-00002.parquet ...
    python -m vlm_grpo.tasks.rec vlm-r1 --out data/refcoco --images COCO --records refcoco/train=refcoco_train.json \\
        refcocop/train=refcocop_train.json

refer    REFER's pickles with the instances.json beside each (or --instances), and COCO's train2014. A pickle is opened
         by a reader that knows plain values only: one that holds code is refused.
parquet  lmms-lab's files from the hub, which hold the pictures.
vlm-r1   VLM-R1's annotations, a JSON list or JSONL, beside folders of pictures.

One row an expression. Boxes are kept by their edges in pixels of the picture as it is. What cannot be used (no picture,
a box outside of it, another size than the annotation knew) is listed with its reason and stops the build unless
--max-dropped allows for it. The manifest counts the pictures that splits share; --apart leaves those out of train.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, share, whole
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.rec import parquet, records, refer
from vlm_grpo.tasks.rec.build import DROPPED, Options, build
from vlm_grpo.tasks.rec.example import Coordinates
from vlm_grpo.tasks.rec.source import Named


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    given = parser().parse_args(arguments)
    options = Options(given.validation, given.seed, given.apart, given.max_dropped)
    if given.form == "refer":
        source = refer.read(
            _sets(given.refs), instances=given.instances, images=given.images, splits=given.splits, limit=given.limit
        )
        build(given.out, source, options)
    elif given.form == "parquet":
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=given.out.parent, prefix=f".{given.out.name}.") as scratch:
            files = Named.of(given.parquet, option="--parquet")
            build(given.out, parquet.read(files, scratch=Path(scratch), limit=given.limit), options)
    else:
        files = Named.of(given.records, option="--records")
        source = records.read(files, images=given.images, coordinates=given.coordinates, limit=given.limit)
        build(given.out, source, options)
    tell(given.out)


def tell(out: Path) -> None:
    """Say what the data set in `out` holds."""
    built = manifest.read(out, kind=dataset.KIND)
    for split, rows in built["counts"].items():
        none = f", {built['no_targets'][split]} without a target" if any(built["no_targets"].values()) else ""
        print(f"{split}: {rows} expressions about {built['images'][split]} pictures{none}")
    for pair, count in built["shared_images"].items():
        if count:
            print(f"{pair}: {count} pictures in both")
    if built["dropped"]:
        print(f"left out {len(built['dropped'])}; the reasons are in {out / DROPPED}")
    print(f"data set: {out}")


def parser() -> argparse.ArgumentParser:
    """Every form with its options."""
    made = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.rec",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    forms = made.add_subparsers(dest="form", required=True, metavar="refer|parquet|vlm-r1")
    of_refer = forms.add_parser("refer", parents=[_common()], help="REFER's pickles and COCO's instances")
    of_refer.add_argument(
        "--refs", nargs="+", required=True, metavar="SET=FILE", help="the references of each set, refs(unc).p or alike"
    )
    of_refer.add_argument(
        "--instances", type=user_path, metavar="FILE", help="COCO's annotations (default: instances.json beside each)"
    )
    of_refer.add_argument(
        "--images", type=user_path, required=True, metavar="FOLDER", help="COCO's train2014, where the pictures are"
    )
    of_refer.add_argument(
        "--splits", nargs="+", metavar="SPLIT", help="of the references (default: all that there are)"
    )
    of_parquet = forms.add_parser("parquet", parents=[_common()], help="lmms-lab's files from the hub")
    of_parquet.add_argument(
        "--parquet", nargs="+", required=True, metavar="SET/SPLIT=FILE", help="files, several of a split one by one"
    )
    of_records = forms.add_parser("vlm-r1", parents=[_common()], help="VLM-R1's annotations")
    of_records.add_argument("--records", nargs="+", required=True, metavar="SET/SPLIT=FILE", help="JSON or JSONL files")
    of_records.add_argument(
        "--images", type=user_path, required=True, metavar="FOLDER", help="what the pictures' paths start from"
    )
    of_records.add_argument(
        "--coordinates",
        choices=get_args(Coordinates),
        default="pixels",
        help="of their solutions (default %(default)s); thousandths in the files made for InternVL",
    )
    return made


def _common() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False)
    made.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    made.add_argument(
        "--limit", type=whole("--limit", least=1), metavar="N", help="only the first N of each file and split"
    )
    made.add_argument(
        "--validation",
        type=share("--validation"),
        default=0.0,
        metavar="SHARE",
        help="hold out of train as split validation, by picture (default 0: none)",
    )
    made.add_argument("--seed", type=seed("--seed"), default=42, help="of that draw (default %(default)s)")
    made.add_argument("--apart", action="store_true", help="leave pictures that another split shows out of train")
    made.add_argument(
        "--max-dropped", type=share("--max-dropped"), default=0.0, metavar="SHARE", help="of a split (default 0)"
    )
    return made


def _sets(words: Sequence[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for word in words:
        name, equals, file = word.partition("=")
        if not (name and equals and file) or name in files:
            raise UserError(f"--refs {word}: expected SET=FILE, each set once, such as 'refcoco=refs(unc).p'")
        files[name] = user_path(file)
    return files
