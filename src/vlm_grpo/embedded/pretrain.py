"""Make the embedded checkpoints from nothing.

    python -m vlm_grpo.embedded.pretrain --family all --out build/embedded --seed 0 --threads 1

The shipped checkpoints are the output of this command with its defaults; `manifest.json` beside each says so, with
the recipe, the time it took and the measured accuracy. One family takes about half an hour on one core. `--scale 0.01`
runs the whole command in seconds and makes a model that knows nothing.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from vlm_grpo.embedded import (
    FAMILIES,
    build_internvl,
    build_qwen,
    build_smolvlm,
    cryptogram_curriculum,
    curriculum,
    digits_curriculum,
    driving_curriculum,
    grounding_curriculum,
    measure,
    measure_cryptogram,
    measure_digits,
    measure_driving,
    measure_grounding,
)
from vlm_grpo.embedded.eyes import teach_eyes
from vlm_grpo.embedded.family import STORAGE, FamilyBuild
from vlm_grpo.embedded.known_words import start_from
from vlm_grpo.embedded.lessons import Eyes, Lessons, Stage
from vlm_grpo.embedded.measure import Figures
from vlm_grpo.embedded.teach import teach
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.paths import user_path
from vlm_grpo.store import manifest

KIND = "embedded-checkpoint"
FEW_ROWS = 16
"""Rows that a model of fewer steps is measured on."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a checkpoint is made: what it is taught, how a model for that is built, how the result is measured.

    With `start` it has not random weights at first, but those of another shipped checkpoint.
    """

    lessons: Lessons
    build: Callable[..., FamilyBuild]
    measure: Callable[..., Figures]
    start: Callable[[FamilyBuild], None] | None = None

    def built(self, seed: int) -> FamilyBuild:
        """The model before it is taught anything; the same seed gives the same weights."""
        built = self.build(self.lessons, seed=seed)
        if self.start:
            self.start(built)
        return built


RECIPES = {
    "qwen2_5_vl": Recipe(lessons=curriculum.LESSONS, build=build_qwen.build, measure=measure.measure),
    "smolvlm": Recipe(lessons=curriculum.LESSONS, build=build_smolvlm.build, measure=measure.measure),
    "internvl": Recipe(lessons=curriculum.LESSONS, build=build_internvl.build, measure=measure.measure),
    "qwen2_5_vl_digits": Recipe(
        lessons=digits_curriculum.LESSONS,
        build=partial(build_qwen.build, family="qwen2_5_vl_digits", vision_layers=2),
        measure=measure_digits.measure,
    ),
    "qwen2_5_vl_cryptogram": Recipe(
        lessons=cryptogram_curriculum.LESSONS,
        build=partial(build_qwen.build, family="qwen2_5_vl_cryptogram"),
        measure=measure_cryptogram.measure,
    ),
    "qwen2_5_vl_grounding": Recipe(
        lessons=grounding_curriculum.LESSONS,
        build=partial(build_qwen.build, family="qwen2_5_vl_grounding"),
        measure=measure_grounding.measure,
    ),
    "qwen2_5_vl_driving": Recipe(
        lessons=driving_curriculum.LESSONS,
        build=partial(build_qwen.build, family="qwen2_5_vl_driving"),
        start=partial(start_from, family="qwen2_5_vl", same=driving_curriculum.SAME),
        measure=measure_driving.measure,
    ),
}


def pretrain(family: str, out: Path, *, seed: int, threads: int, scale: float = 1.0) -> Figures:
    """Train and save the checkpoint of `family` in `out`, measure it there, write its manifest; return the measures.

    `scale` multiplies the steps of every stage; `threads` shape the order of float sums, hence the exact weights.
    """
    torch.set_num_threads(threads)
    made = RECIPES[family]
    lessons = _scaled(made.lessons, scale)
    recipe = {
        "family": family,
        "seed": seed,
        "threads": threads,
        "scale": scale,
        "stages": [
            *_eyes_in_words(lessons.eyes),
            *({**vars(s), "mixture": s.mixture.__name__} for s in lessons.stages),
        ],
        "storage": str(STORAGE),
    }
    manifest.claim(out, {"kind": KIND, **recipe})
    started = time.monotonic()
    built = made.built(seed)
    if lessons.eyes:
        teach_eyes(built.model, built.collator, lessons.eyes, seed=seed)
    teach(built.model, built.collator, lessons.stages, probe=lessons.probe, seed=seed)
    built.save(out)
    trained = time.monotonic() - started
    measures = made.measure(out, seed=seed, **({} if scale >= 1 else {"rows": FEW_ROWS}))
    manifest.write(
        out,
        kind=KIND,
        config=recipe,
        inputs={},
        counts={"parameters": sum(p.numel() for p in built.model.parameters()), "vocabulary": len(built.tokenizer)},
        seconds=time.monotonic() - started,
        seeds={"pretrain": seed},
        command=f"python -m vlm_grpo.embedded.pretrain --family {family} --seed {seed} --threads {threads}",
        training_seconds=round(trained, 1),
        measured=measures,
    )
    return measures


def _scaled(lessons: Lessons, scale: float) -> Lessons:
    def steps(part: Eyes | Stage) -> int:
        return max(2, round(part.steps * scale))

    return replace(
        lessons,
        eyes=lessons.eyes and replace(lessons.eyes, steps=steps(lessons.eyes)),
        stages=tuple(replace(stage, steps=steps(stage)) for stage in lessons.stages),
    )


def _eyes_in_words(eyes: Eyes | None) -> list[dict[str, Any]]:
    return [{"name": "eyes", "steps": eyes.steps, "batch_size": eyes.batch_size, "peak": eyes.peak}] if eyes else []


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.embedded.pretrain", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--family", choices=(*RECIPES, "all"), default="all")
    parser.add_argument("--out", type=user_path, default=Path("build/embedded"), help="gets a folder for each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the training steps (1 is the real recipe)")
    given = parser.parse_args(arguments)
    if given.scale <= 0:
        raise UserError(f"--scale {given.scale}: give a number above 0")
    for family in FAMILIES if given.family == "all" else (given.family,):
        measures = pretrain(family, given.out / family, seed=given.seed, threads=given.threads, scale=given.scale)
        for name, figures in measures.items():
            print(f"{family} {name}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
