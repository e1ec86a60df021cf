"""The command behind `alignment_judge/label.py`: blind labels of a random sample, in the terminal or in the browser.

The annotator sees neither the judge's verdict nor the model nor the true label. Every annotator gets the same sample in
an order of their own. Each label is on disk before the next item is shown; a later run goes on where one stopped.

    python -m vlm_grpo.labelling.command --help
"""

import argparse
from collections.abc import Sequence

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.labelling import answers, server, terminal, verdicts
from vlm_grpo.labelling.session import Session
from vlm_grpo.labelling.work import Work
from vlm_grpo.option_types import seed, whole
from vlm_grpo.paths import user_path


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """Ask for labels until the sample is done or the annotator quits."""
    options = parser().parse_args(arguments)
    work = _work(options)
    if options.serve:
        server.serve(work, options.out, annotator=options.annotator, seed=options.seed, port=options.port)
        return
    if options.annotator is None:
        raise UserError("--annotator is needed in the terminal; give your name or initials")
    terminal.ask(Session(work, options.out, options.annotator, seed=options.seed))


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        prog="label.py",
        description="Label a random sample of judged reasoning without seeing the verdicts, or of a data set's rows "
        "without seeing the answers; in the terminal, or with --serve on a page of the browser.",
        epilog="Then compare: agreement.py --verdicts FILE --human LABELS. The page listens on this machine only; on a "
        "cluster, forward its port (ssh -L PORT:127.0.0.1:PORT NODE) and open the printed address at home.",
    )
    p.add_argument("--verdicts", type=user_path, metavar="FILE", help="verdicts.jsonl of alignment_judge/judge.py")
    p.add_argument("--data", type=user_path, metavar="FOLDER", help="a data set: its questions are answered instead")
    p.add_argument("--split", default="test", help="with --data: the split (default test)")
    p.add_argument("--out", type=user_path, required=True, help="JSONL of labels; several annotators may share it")
    p.add_argument("--annotator", help="your name or initials; the page asks for it where it is not given")
    p.add_argument("--sample", type=whole("--sample", least=1), default=50, help="items to label (default 50)")
    p.add_argument(
        "--seed", type=seed("--seed"), default=0, help="seed of the sample; the same for all annotators (default 0)"
    )
    p.add_argument("--images", type=user_path, metavar="FOLDER", help="with --verdicts: where the pictures are")
    p.add_argument("--serve", action="store_true", help="label on a page, on this machine only")
    p.add_argument(
        "--port", type=whole("--port", most=65535), default=0, help="with --serve: the port (default: a free one)"
    )
    return p


def _work(options: argparse.Namespace) -> Work:
    if (options.verdicts is None) == (options.data is None):
        raise UserError("give --verdicts FILE to label judged reasoning, or --data FOLDER to answer its questions")
    if options.data is not None:
        if options.images is not None:
            raise UserError("--images has no effect with --data, which knows where its pictures are; leave it out")
        return answers.work(options.data, split=options.split, size=options.sample, seed=options.seed)
    return verdicts.work(options.verdicts, size=options.sample, seed=options.seed, images=options.images)


if __name__ == "__main__":
    main()
