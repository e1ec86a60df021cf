"""The command behind `alignment_judge/judge.py`: from generations to `verdicts.jsonl`, resumable at any moment."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.judge import inputs, options, prompt, rules
from vlm_grpo.judge.run import Asked, Run
from vlm_grpo.paths import user_path
from vlm_grpo.store.encoding import well_formed


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """Judge what is missing; exit code 2 with one line when something is left to do."""
    given = options.complete(options.parser().parse_args(arguments))
    if len(given.generations) > 2:
        raise UserError("--generations is given more than twice; judge one or two arms at a time")
    Run(given, _asked(given)).go()


def _asked(given: argparse.Namespace) -> Asked:
    asked = prompt.load(given.prompt)
    if given.judge == "rules":
        asked = replace(asked, kinds=rules.KINDS)
    questions = inputs.read_questions(given.questions) if given.questions else {}
    arms = [inputs.read_arm(*_named(text), questions) for text in given.generations]
    inputs.check_arms(arms)
    return Asked(asked, arms, _split(arms[0].split, given.split))


def _split(split: str | None, named: str | None) -> str:
    if split and named and split != named:
        raise UserError(f"the generations are of split {split!r}, not {named!r}")
    name = split or named
    if name is None:
        raise UserError("the generations do not name their split; give it with --split")
    return name


def _named(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    name = name.strip()
    if not name or not path:
        raise UserError(f"--generations {text!r}: give NAME=FILE, for example base=runs/base/generations.jsonl")
    return well_formed(name), user_path(path)
