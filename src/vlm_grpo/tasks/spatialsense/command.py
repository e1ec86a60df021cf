"""Build a data set of SpatialSense's statements from its own files.

    python -m vlm_grpo.tasks.spatialsense --out data/spatialsense --data SpatialSense
    python -m vlm_grpo.tasks.spatialsense --out data/spatialsense_study --data SpatialSense --preparation study

--data holds annotations.json and the unpacked folder images with its folders flickr and nyu. The clean preparation
keeps the official splits and the photographs as they are, and leaves out of train and validation what shows a
photograph that a later split shows, however it is called. The study's cuts each predicate's rows 80/10/10 in the file's
order and pastes every row's photograph on a white canvas; the manifest says how many photographs its splits share. What
cannot be used is listed with its reason and stops the build unless --max-dropped allows for it.
"""

import argparse
from collections.abc import Sequence

from vlm_grpo.errors import exits_cleanly
from vlm_grpo.paths import user_path
from vlm_grpo.tasks.spatialsense.read import read
from vlm_grpo.tasks.statements.build import build
from vlm_grpo.tasks.statements.command import add_common, options_of, tell


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.spatialsense",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_common(parser)
    parser.add_argument("--data", type=user_path, required=True, metavar="FOLDER", help="SpatialSense's folder")
    given = parser.parse_args(arguments)
    options = options_of(given)
    tell(given.out, build(given.out, read(given.data, options=options), options))
