"""The report of a study as pages to look at: opened by a double click, without a server, an account or the network.

    python -m vlm_grpo.study.page results/embedded               results/embedded/index.html
    python -m vlm_grpo.study.page results/embedded --pictures link --size-mb 50

RESULTS is the folder of a finished report (`vlm_grpo.results.study`); the folders that it was made of must still be
there. The pages show numbers, training curves, rollouts, answers and provenance (docs/report.md).
"""

import argparse
from pathlib import Path

from vlm_grpo.errors import exits_cleanly
from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path
from vlm_grpo.study.site.folder import MEGABYTE, Options, Written, write_site
from vlm_grpo.study.site.pictures import MODES
from vlm_grpo.study.site.source import open_source


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Write the pages as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=user_path, metavar="RESULTS", help="folder of a finished report")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="folder of the pages; RESULTS if not given")
    parser.add_argument("--pictures", choices=MODES, default="auto", help="copy them while there is room, or always")
    parser.add_argument("--longest-side", type=whole("--longest-side"), default=1280, metavar="PIXELS")
    parser.add_argument("--size-mb", type=whole("--size-mb"), default=300, metavar="N", help="bound of the folder")
    parser.add_argument("--rollout-steps", type=whole("--rollout-steps"), metavar="N", help="steps kept of each run")
    given = parser.parse_args(argv)
    options = Options(given.pictures, given.longest_side, given.size_mb, given.rollout_steps)
    tell(write_site(open_source(given.results), given.out or given.results, options))


def tell(written: Written) -> None:
    """Print where the page is and how large the folder."""
    pictures = f"{written.picture_bytes / MEGABYTE:.1f} MB of it pictures"
    links = f", {written.linked} pictures linked to where they lie" if written.linked else ""
    print(f"page: {Path(written.index)} ({written.bytes / MEGABYTE:.1f} MB, {pictures}{links})")


if __name__ == "__main__":
    main()
