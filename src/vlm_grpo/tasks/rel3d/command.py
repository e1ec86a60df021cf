"""Build a data set of Rel3D's statements from its own files.

    python -m vlm_grpo.tasks.rel3d --out data/rel3d --data Rel3D/data
    python -m vlm_grpo.tasks.rel3d --out data/rel3d_panels --data Rel3D/data --panels --predicates study
    python -m vlm_grpo.tasks.rel3d --out data/rel3d_study --data Rel3D/data --preparation study

--data holds `<name>.json` and `<name>_<train|valid|test>_False.h5`, as Rel3D's download.sh leaves them; --pictures
takes the pictures as they were rendered (1280 x 720) in place of the HDF5 files' 224 x 224. The official splits stay.
The clean preparation leaves out of train and validation what shows a picture that a later split shows, however it is
called; the study's saves every row's picture as JPEG under a number and leaves nothing out. --panels shows the scene,
its depth and the place of each thing in four panels. What cannot be used is listed with its reason and stops the build
unless --max-dropped allows for it. Rows of one `pair` are the same scene with and without the relation.
"""

import argparse
from collections.abc import Sequence

from vlm_grpo.errors import exits_cleanly
from vlm_grpo.paths import user_path
from vlm_grpo.tasks.rel3d.read import read
from vlm_grpo.tasks.rel3d.samples import PRIMARY
from vlm_grpo.tasks.statements.build import build
from vlm_grpo.tasks.statements.command import add_common, options_of, tell


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.rel3d",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_common(parser)
    parser.add_argument("--data", type=user_path, required=True, metavar="FOLDER", help="Rel3D's folder data")
    parser.add_argument("--name", default=PRIMARY, help="of the split: <c|nc>_SHARE_<c|nc>_SHARE (default %(default)s)")
    parser.add_argument("--pictures", type=user_path, metavar="FOLDER", help="the rendered pictures, data/20200223")
    parser.add_argument("--panels", action="store_true", help="scene, depth and the place of each thing in one picture")
    given = parser.parse_args(arguments)
    options = options_of(given, panels=given.panels)
    tell(given.out, build(given.out, read(given.data, given.name, pictures=given.pictures, options=options), options))
