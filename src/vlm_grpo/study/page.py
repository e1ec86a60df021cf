"""The report of a study as pages to look at: opened by a double click, without a server, an account or the network.

    python -m vlm_grpo.study.page results/embedded               results/embedded/index.html
    python -m vlm_grpo.study.page results/embedded --pictures link --size-mb 50
    python -m vlm_grpo.study.page results/embedded --probes runs/grpo/probes results/quadrants
    python -m vlm_grpo.study.page --watch runs/grpo              runs/grpo/watch/site/training.html, again each minute
    python -m vlm_grpo.study.page --compare results/a results/b --out results/a_and_b

RESULTS is the folder of a finished report (`vlm_grpo.results.study`); the folders that it was made of must still be
there. The pages show numbers, training curves, rollouts, answers, probes and provenance (docs/report.md); probes and
quadrants of `vlm_grpo.faithfulness` are found beside the evaluations and below RESULTS, others are named by --probes.
"""

import argparse
from pathlib import Path

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path
from vlm_grpo.study.site.compare import open_both
from vlm_grpo.study.site.folder import MEGABYTE, Options, Written, write_site
from vlm_grpo.study.site.pictures import MODES
from vlm_grpo.study.site.source import open_source
from vlm_grpo.study.site.watch import watch


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Write the pages as the command line says."""
    given = _parser().parse_args(argv)
    options = Options(given.pictures, given.longest_side, given.size_mb, given.rollout_steps)
    asked = [given.results is not None, given.watch is not None, given.compare is not None]
    if sum(asked) != 1:
        raise UserError("name one thing to show: RESULTS, --watch RUN, or --compare RESULTS RESULTS")
    if given.probes and given.results is None:
        raise UserError("--probes names probes of one study; name its RESULTS")
    if given.watch is not None:
        watch(given.watch, given.out or given.watch / "watch", options, every=given.every, tell=tell)
    elif given.compare is not None:
        if given.out is None:
            raise UserError("--compare writes pages of its own; name their folder with --out")
        tell(write_site(open_both(*given.compare), given.out, options))
    else:
        tell(write_site(open_source(given.results, probes=given.probes), given.out or given.results, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=user_path, metavar="RESULTS", help="folder of a finished report")
    parser.add_argument("--watch", type=user_path, metavar="RUN", help="folder of a training, done or under way")
    parser.add_argument("--every", type=whole("--every", least=1), default=60, metavar="S", help="seconds (60)")
    parser.add_argument("--compare", nargs=2, type=user_path, metavar="RESULTS", help="two studies on the same rows")
    parser.add_argument("--probes", nargs="+", type=user_path, metavar="DIR", default=[], help="of the runs, elsewhere")
    parser.add_argument("--out", type=user_path, metavar="DIR", help="folder of the pages; RESULTS if not given")
    parser.add_argument("--pictures", choices=MODES, default="auto", help="whole ones: copied while there is room")
    parser.add_argument("--longest-side", type=whole("--longest-side", least=1), default=1280, metavar="PIXELS")
    parser.add_argument("--size-mb", type=whole("--size-mb"), default=300, metavar="N", help="bound of the folder")
    parser.add_argument("--rollout-steps", type=whole("--rollout-steps", least=1), metavar="N", help="kept of each run")
    return parser


def tell(written: Written) -> None:
    """Print where the page is and how large the folder."""
    pictures = f"{written.picture_bytes / MEGABYTE:.1f} MB of it pictures"
    links = f", {written.linked} pictures linked to where they lie" if written.linked else ""
    print(f"page: {Path(written.index)} ({written.bytes / MEGABYTE:.1f} MB, {pictures}{links})", flush=True)


if __name__ == "__main__":
    main()
