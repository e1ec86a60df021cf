"""What a study's YAML may say (`configs/study/*.yaml`), read strictly.

    bases:       {base: {model: embedded:qwen2_5_vl, evaluation: FILE}}
    arms:        {sft:      {start: base, method: sft,  data: drive, training: FILE, evaluation: FILE},
                  sft_grpo: {start: sft,  method: grpo, data: drive, training: FILE}}
    evaluations: {test:     {data: drive, split: test},
                  transfer: {data: vsr, split: test, arms: [base, sft_grpo]}}
    judge:       {pairs: [[base, sft_grpo]], arguments: --judge rules, min_coverage: 0.8}
    faithfulness: {arms: [base, sft_grpo], probed: [sft_grpo], probes: [wrong_think]}

This module knows the form; whether names are known, chains end and results have places of their own is for `plan.py`.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from vlm_grpo.methods.registry import METHODS
from vlm_grpo.yaml_layers import Layers

Name = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*(/\w[\w.-]*)*$")]
Word = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*$")]
Names = Annotated[list[str], Field(min_length=1)]


class _Section(BaseModel):
    """A mapping that knows its keys, and what became of keys that it had before."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    old_keys: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_other_keys(cls, values: Any) -> Any:
        known = sorted(cls.model_fields)
        for key in values if isinstance(values, Mapping) else ():
            if key in cls.old_keys:
                raise PydanticCustomError("key", "{why}", {"key": key, "why": cls.old_keys[key]})
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise PydanticCustomError("key", "{why}", {"key": key, "why": f"unknown key; {hint}"})
        return values


class Asks(_Section):
    """What a job asks of a cluster; what is not said takes the workflow's defaults."""

    gpus: int | None = None
    cpus: int = 1
    memory_gb: int = 4
    limit_h: float = 1
    expected_h: float = 0


class Cluster(_Section):
    """What the jobs of each stage ask for."""

    data: Asks = Asks()
    train: Asks = Asks()
    merge: Asks = Asks()
    evaluate: Asks = Asks()
    judge: Asks = Asks()


class DataSetEntry(_Section):
    """A data set's folder, the command that builds it (less `--out`), and the data set that it is made `of`.

    With a `teacher`, an arm, the command is given its model (`--teacher`, and `--adapter` where it has one), trained
    with the study's first seed.
    """

    command: str
    folder: str
    of: str | None = None
    teacher: str | None = None


class BaseEntry(_Section):
    """A model that arms start from; `evaluation` is the config that says how it is asked."""

    old_keys = {"data": "is now part of an evaluation: write evaluations: {NAME: {data: …, split: …}}"}

    model: str
    evaluation: str


class ArmEntry(_Section):
    """A training: from where it starts, by which method, on which data.

    Without `data` it is trained for bias reports alone. Without `evaluation` it is asked as its base is. With
    `full_finetuning` (language, or all) the weights themselves train, and what comes of it needs no merge. `published`
    maps evaluations to the accuracy that others report of this arm, a fraction, which tables show beside ours.
    """

    old_keys = {
        "base": "is now 'start': the name of a base or of another arm",
        "module": f"is now 'method': one of {', '.join(METHODS)}",
    }

    start: str
    method: str
    training: str
    data: str | None = None
    full_finetuning: Literal["language", "all"] | None = None
    arguments: str = ""
    evaluation: str | None = None
    published: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    cluster: Asks = Asks()


class EvaluationEntry(_Section):
    """A split that bases and arms answer: all of them, or those named; `arguments` are the command's own."""

    data: str
    split: str
    arms: Names | None = None
    arguments: str = ""


class JudgeEntry(_Section):
    """Which pairs are judged beside each other, and how."""

    old_keys = {"arms": "is now 'pairs': write pairs: [[BASE, ARM], …]"}

    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    arguments: str = ""
    min_coverage: float = 0.95


class FaithfulnessEntry(_Section):
    """Whose reasoning is read, and who is asked again under which probes, with the command's own `arguments`.

    `apart` are pairs of probed arms, one that uses its reasoning and one that does not: do the probes tell them apart?
    """

    arms: Names
    probed: list[str] = []
    probes: list[str] = []
    arguments: str = ""
    apart: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = []


class BiasEntry(_Section):
    """Arms trained once more on each level's data set, and the splits that all answer."""

    title: str
    bases: list[str]
    arms: Names
    levels: Annotated[dict[str, str], Field(min_length=1)]
    reference: str
    splits: Names


class Study(_Section):
    """The whole file."""

    old_keys = {
        "name": "has no effect; remove it",
        "split": "is now part of an evaluation: write evaluations: {NAME: {data: …, split: …}}",
    }

    title: str
    results: str
    work: str
    seeds: Annotated[list[int], Field(min_length=1)]
    datasets: dict[Word, DataSetEntry]
    bases: dict[Name, BaseEntry] = {}
    arms: dict[Name, ArmEntry] = {}
    evaluations: dict[Word, EvaluationEntry] = {}
    judge: JudgeEntry | None = None
    faithfulness: FaithfulnessEntry | None = None
    bias_reports: dict[Word, BiasEntry] = {}
    cluster: Cluster | None = None


def read_study(layers: Layers) -> Study:
    """The study that `layers` say; `UserError` naming the file, the entry and what is wrong with it."""
    try:
        return Study.model_validate(layers.values)
    except ValidationError as error:
        first = error.errors()[0]
    keys = [key for key in first["loc"] if key != "[key]"]
    message = first["msg"]
    if first["type"] == "key":
        keys.append(first["ctx"]["key"])
    elif first["type"] == "missing":
        message = f"key {keys.pop()!r} is missing"
    elif first["type"] == "string_pattern_mismatch":
        message = f"a name is of letters, digits, '_', '.' and '-' (here: {first['input']!r})"
    else:
        message = f"{message[0].lower()}{message[1:]} (here: {first['input']!r})"
    raise layers.mistake(message, *keys) from None
