"""Before the first step: what the base earns, and which rewards cannot teach it anything.

The first rollouts are samples of the base, as an adapter starts without effect, and they are scored before a gradient
is taken; so looking at them costs nothing and changes nothing. GRPO compares a completion with its group, so a reward
that is the same in every group moves nothing, be it always earned or never: a task too hard, a format that the base
never writes, answers read by too strict a rule. A reward that scores none of them is mostly one of another task; where
all are, nothing could ever be learnt.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from vlm_grpo.errors import UserError


def report(rewards: Mapping[str, Sequence[float]], *, group: int) -> list[str]:
    """Lines for a user about the first `rewards` by name, whole groups of `group` neighbours; NaN is not scored."""
    scores = {name: np.asarray(values, dtype=float).reshape(-1, group) for name, values in rewards.items()}
    completions = len(next(iter(rewards.values())))
    shown = ", ".join(f"{name} {_mean_and_spread(values)}" for name, values in scores.items())
    lines = [f"preflight: {completions} completions of the base, {group} a prompt, earn (mean, spread): {shown}"]
    for name, values in scores.items():
        if np.isnan(values).all():
            lines.append(f"preflight: {name} scores none of these rows: is it a reward of their task?")
        elif not any(_varies(values_of_group) for values_of_group in values):
            lines.append(
                f"preflight: {name} is the same within every group ({completions // group}): so far it cannot teach"
            )
    return lines


def check_scored(rewards: Mapping[str, Sequence[float]], *, task: str) -> None:
    """`UserError` where none of the `rewards` scores any of the first rollouts; `task` is that of the first row."""
    if all(np.isnan(np.asarray(values, dtype=float)).all() for values in rewards.values()):
        raise UserError(
            f"no reward scores any of the first rollouts ({', '.join(rewards)}), whose rows are of the task {task}; "
            "name rewards of this task with --rewards, in another output_dir"
        )


def _mean_and_spread(values: np.ndarray) -> str:
    scored = values[~np.isnan(values)]
    if not scored.size:
        return "none scored"
    part = "" if scored.size == values.size else f" of {scored.size} scored"
    return f"{scored.mean():.3g} ({scored.std():.3g}){part}"


def _varies(group: np.ndarray) -> bool:
    scored = group[~np.isnan(group)]
    return scored.size > 1 and bool(np.ptp(scored) > 0)
