"""How much of the answer a data set gives away: probes that see the picture alone, or the question alone.

    python -m vlm_grpo.bias.probe --data data/vsr_vision_published --out runs/bias/probe/vision_published
    python -m vlm_grpo.bias.probe --data data/vsr --heldout test --probes question --out runs/bias/probe/vsr

Each probe is fitted on four fifths of the training split, and scored there, on the fifth held out (no picture is in
both) and on the other splits. OUT gets probe.json, probe.md, probe.png and, last, manifest.json; a complete result is
shown again.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from vlm_grpo import drawing
from vlm_grpo.bias.probe import figure, image, parts, question
from vlm_grpo.bias.probe.parts import Part, PartScore
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.option_types import seed
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.store import atomic, manifest
from vlm_grpo.tables import to_markdown, to_text

KIND = "bias probe"
SCORES = "probe.json"
TITLE = "What {} gives away"
FIGURE = "\n\n![Accuracy of each probe by part](probe.png)\n"
PROBES = (image.NAME, question.NAME)


class Probe(Protocol):
    """What tells labels from one side of the rows."""

    def fit(self, part: Part) -> None:
        """Learn from the labels of `part`."""
        ...

    def predict(self, part: Part) -> np.ndarray:
        """Bool of shape (rows,)."""
        ...


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.bias.probe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=user_path, required=True, metavar="FOLDER", help="data set")
    parser.add_argument("--out", type=user_path, required=True, metavar="FOLDER", help="folder of the result")
    parser.add_argument("--train_split", default="train", metavar="SPLIT", help="split to fit on (default train)")
    parser.add_argument("--heldout", nargs="*", metavar="SPLIT", help="splits to score on too (default: all others)")
    parser.add_argument("--probes", nargs="+", choices=PROBES, default=PROBES, help="which probes (default both)")
    parser.add_argument(
        "--seed", type=seed("--seed"), default=42, help="of the held-out fifth and the network (default 42)"
    )
    given = parser.parse_args(arguments)
    scores = probe(
        given.data,
        given.out,
        train_split=given.train_split,
        heldout=given.heldout,
        probes=tuple(dict.fromkeys(given.probes)),
        seed=given.seed,
    )
    print(to_text(parts.table(scores, title=TITLE.format(given.data))))
    print(f"\nprobe: {given.out / SCORES}")


def probe(
    data: Path,
    out: Path,
    *,
    train_split: str = "train",
    heldout: Sequence[str] | None = None,
    probes: Sequence[str] = PROBES,
    seed: int = 42,
) -> list[PartScore]:
    """Fit and score `probes` on the data set `data` and write the result to `out`; `heldout` None means all splits."""
    started = time.monotonic()
    source = manifest.read(data, kind=dataset.KIND)
    others = [split for split in source["counts"] if split != train_split] if heldout is None else list(heldout)
    config = {"data": str(data), "train_split": train_split, "heldout": others, "probes": list(probes), "seed": seed}
    shares = parts.parts_of(data, train_split, others, seed=seed)
    manifest.claim(out, {"kind": KIND, "fingerprints": source["fingerprints"], **config})
    if manifest.exists(out):
        return [PartScore(**fields) for fields in manifest.read_json(out / SCORES)["scores"]]
    scores = []
    for name in probes:
        fitted = _new(name, data, seed=seed)
        fitted.fit(shares[0])
        scores += [parts.score(name, part, fitted.predict(part)) for part in shares]
    atomic.write_json(out / SCORES, {"data": str(data), "scores": [score.as_json() for score in scores]})
    atomic.write_text(out / "probe.md", to_markdown(parts.table(scores, title=TITLE.format(data))) + FIGURE)
    drawing.save(figure.accuracies(scores), out / "probe.png")
    manifest.write(
        out,
        kind=KIND,
        config=config,
        inputs=source["fingerprints"],
        counts={part.name: len(part.rows) for part in shares},
        seconds=time.monotonic() - started,
        seeds={"seed": seed},
    )
    return scores


def _new(name: str, data: Path, *, seed: int) -> Probe:
    return image.ImageProbe(data, seed=seed) if name == image.NAME else question.QuestionProbe()
