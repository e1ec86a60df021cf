"""The plan of a study: what is trained from what, who answers which rows, who is judged, and where all of it goes.

    WORK/BASE/evaluation                a base's answers to the first evaluation, …/evaluation_on_NAME to the others
    WORK/ARM/SEED/{train,merged}        an arm; where nothing is to be merged, there is no merged checkpoint
    WORK/ARM/SEED/evaluation[_on_NAME]
    WORK/PAIR/SEED/verdicts             PAIR is the arm, beside its base; FIRST-SECOND for any other pair
    WORK/{BASE,ARM/SEED}/probes         the answers to the first evaluation, asked again under probes
    RESULTS/, RESULTS/NAME/             the report of the first evaluation, and of the others
    RESULTS/across/                     all of them side by side, where there are several
    RESULTS/alignment/PAIR/SEED/, RESULTS/BIAS/
    RESULTS/faithfulness/               the report on reasoning, in quadrants/SEED the quadrants

An arm of a bias report is trained once more for each level, on the level's data set DATA, as ARM_DATA, and so are the
arms that it starts from. `plan.py` makes the plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vlm_grpo.methods.base import Method
from vlm_grpo.study.schema import Asks, Cluster, Study

NO_GPU = ("data", "judge")


@dataclass(frozen=True)
class PlannedData:
    """A data set: its folder, the words of the command that builds it, and what it is made `of`: a data set, an arm."""

    folder: str
    command: tuple[str, ...]
    of: str | None
    teacher: str | None = None


@dataclass(frozen=True)
class PlannedBase:
    """A base: the model's name, and the config that says how it is asked."""

    model: str
    evaluation: str


@dataclass(frozen=True)
class PlannedArm:
    """A training. `start` is a base or an arm, `base` where the chain of starts begins, `data` a data set's name.

    `is_whole` says that it trains the weights themselves, so that it leaves a checkpoint, which needs no merge.
    """

    start: str
    base: str
    method: Method
    data: str
    training: str
    arguments: tuple[str, ...]
    evaluation: str
    asks: Asks
    is_whole: bool = False

    @property
    def merges(self) -> bool:
        """Whether a checkpoint comes of it by a merge."""
        return self.method.merges and not self.is_whole


@dataclass(frozen=True)
class Question:
    """The rows that a model answers, and further words of the evaluation command."""

    data: str
    split: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedEvaluation:
    """An evaluation of the study: the end `on` of its folders' names, and the bases and arms that answer."""

    on: str
    question: Question
    bases: tuple[str, ...]
    arms: tuple[str, ...]


@dataclass(frozen=True)
class JudgedPair:
    """A base or arm, and another one, whose answers to the first evaluation are judged beside each other."""

    first: str
    second: str


@dataclass(frozen=True)
class PlannedFaithfulness:
    """Bases and arms whose reasoning is read, those `probed`, by which `probes`, and the pairs to be told `apart`."""

    read: tuple[str, ...]
    probed: tuple[str, ...]
    probes: tuple[str, ...]
    arguments: tuple[str, ...]
    apart: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Plan:
    """All that the workflow needs to know; names are those of the study, with the bias reports' own beside them."""

    study: Study
    results: str
    work: str
    data: Mapping[str, PlannedData]
    bases: Mapping[str, PlannedBase]
    arms: Mapping[str, PlannedArm]
    evaluations: Mapping[str, PlannedEvaluation]
    questions: Mapping[tuple[str, str], Question]
    pairs: Mapping[str, JudgedPair]
    judge_arguments: tuple[str, ...]
    faithfulness: PlannedFaithfulness | None = None

    @cached_property
    def main(self) -> str | None:
        """The name of the first evaluation: the study's report and the judge's are about it."""
        return next(iter(self.evaluations), None)

    @property
    def studied(self) -> list[str]:
        """The arms of the study itself, without the bias reports' own."""
        return [arm for arm, entry in self.study.arms.items() if entry.data is not None]

    def run(self, name: str, seed: int | str) -> str:
        """The folder of a base, or of an arm's run with `seed`."""
        return f"{self.work}/{name}" if name in self.bases else f"{self.work}/{name}/{seed}"

    def answers(self, name: str, seed: int | str, on: str = "") -> str:
        """The folder of the evaluation `on` of a base, or of an arm's run with `seed`."""
        return f"{self.run(name, seed)}/evaluation{on}"

    def seeds_of(self, name: str) -> list[int | str]:
        """The seeds of an arm's runs; a base has one run, without a seed."""
        return [""] if name in self.bases else list(self.study.seeds)

    def probes(self, name: str, seed: int | str) -> str:
        """The folder of a run's probes."""
        return f"{self.run(name, seed)}/probes"

    def trained(self, name: str, seed: int | str) -> str:
        """The folder whose manifest says that the model of a run is there: the training's, or the merge's."""
        return f"{self.run(name, seed)}/{'merged' if self.arms[name].merges else 'train'}"

    def builder(self, data: str) -> tuple[str, ...]:
        """The words of the command that builds `data`, its teacher's among them."""
        planned = self.data[data]
        if planned.teacher is None:
            return planned.command
        return (*planned.command, "--teacher", *self.model(planned.teacher, self.study.seeds[0]))

    def start(self, arm: str, seed: int | str) -> str:
        """The checkpoint that `arm` is trained from."""
        start = self.arms[arm].start
        return self.bases[start].model if start in self.bases else self._checkpoint(start, seed)

    def model(self, arm: str, seed: int | str) -> tuple[str, ...]:
        """The model of a trained run as words: a checkpoint, or a checkpoint and the adapter that is put on it."""
        if self.arms[arm].merges or self.arms[arm].is_whole:
            return (self._checkpoint(arm, seed),)
        return (self.start(arm, seed), "--adapter", f"{self.trained(arm, seed)}/final")

    def _checkpoint(self, arm: str, seed: int | str) -> str:
        return self.trained(arm, seed) + ("/final" if self.arms[arm].is_whole else "")

    def asks(self, stage: str, arm: str | None = None) -> Asks:
        """What a job of `stage` asks of a cluster; on training, an arm's own word counts."""
        asks: Asks = getattr(self.study.cluster or Cluster(), stage)
        own = self.arms[arm].asks if stage == "train" and arm is not None else Asks()
        gpus = 0 if stage in NO_GPU else 1
        return Asks(gpus=gpus).model_copy(update=_said(asks) | _said(own))


def _said(asks: Asks) -> dict[str, Any]:
    return asks.model_dump(exclude_unset=True)
