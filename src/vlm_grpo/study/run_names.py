"""What a run of a study is called: `ARM` or, where the arm has several seeds, `ARM@SEED`, as in `grpo@42`."""

import re

from vlm_grpo.errors import UserError

_RUN = re.compile(r"(?P<arm>[^@\s]([^@\r\n]*[^@\s])?)(@(?P<seed>[0-9]+))?")


def read_run(text: str, *, where: str) -> str:
    """The run's name as it is kept, a seed without leading zeros; `UserError` (opened by `where`) when it is none."""
    match = _RUN.fullmatch(text)
    if match is None:
        raise UserError(f"{where} {text!r}: expected ARM or ARM@SEED, the seed a whole number and no other @")
    return match["arm"] if match["seed"] is None else f"{match['arm']}@{int(match['seed'])}"


def arm_of(run: str) -> str:
    """The arm of the run `run`: "grpo" of "grpo@42"."""
    return run.partition("@")[0]
