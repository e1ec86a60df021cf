"""A run's progress on one line: step, speed, time left and the few numbers worth watching."""

import sys
from collections.abc import Mapping
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

SECONDS_BETWEEN_LINES = 20


def labelled(logs: Mapping[str, Any], watched: Mapping[str, str]) -> dict[str, str]:
    """The numbers among `logs` that are `watched`, as text by label, in the order of `watched`.

    >>> labelled({"loss": 0.25, "rewards/format/mean": 1.0}, {"rewards/*/mean": "*", "loss": "loss"})
    {'format': '1', 'loss': '0.25'}
    """
    shown = {}
    for metric, label in watched.items():
        before, star, after = metric.partition("*")
        for name, value in logs.items():
            fits = name.startswith(before) and name.endswith(after) if star else name == metric
            if fits and isinstance(value, float):
                shown[label.replace("*", name.removeprefix(before).removesuffix(after))] = f"{value:.3g}"
    return shown


class ProgressLine(TrainerCallback):
    """A bar on a terminal; in a log file one line every 20 seconds. `watched` maps a logged metric to its label."""

    def __init__(self, watched: Mapping[str, str]) -> None:
        self._watched = watched
        self._bar: Any = None

    @override
    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            on_terminal = sys.stderr.isatty()
            self._bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc="training",
                unit="step",
                ascii=not on_terminal,
                dynamic_ncols=on_terminal,
                mininterval=0.5 if on_terminal else SECONDS_BETWEEN_LINES,
                bar_format=None
                if on_terminal
                else "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]\n",
            )

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    @override
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if self._bar is not None and logs:
            shown = labelled(logs, self._watched)
            if shown:
                self._bar.set_postfix(shown, refresh=False)

    @override
    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
