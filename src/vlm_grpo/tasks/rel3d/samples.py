"""Rel3D's own JSON: `<c|nc>_<share of train>_<c|nc>_<share of valid>.json` with the samples of train, valid and test.

A sample names its picture and its depth by a path, whose last part tells the scene:
"PREDICATE - SUBJECT_SHAPE - OBJECT_SHAPE - STATE camN rgb.png". Two states of one scene seen by one camera are a pair:
in one the relation holds, in the other it fails. What is in the scene is read from the sample, not from the name.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from vlm_grpo import text_files
from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import first_fault
from vlm_grpo.tasks.statements.build import SPLITS

PRIMARY = "c_0.9_c_0.1"
"""The split of the paper's main table and of the study."""
_NAME = re.compile(r"(?P<scene>.+) - (?P<state>\w+State\d*) cam(?P<camera>\d+) rgb\.\w+")

Length = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Edges(BaseModel):
    """A box in pixels of the picture as it was rendered; the files hold numbers or texts of them, and empty boxes."""

    model_config = ConfigDict(frozen=True)

    top: Annotated[float, Field(allow_inf_nan=False)]
    left: Annotated[float, Field(allow_inf_nan=False)]
    width: Length
    height: Length


class Thing(BaseModel):
    """A thing of a scene."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    bbox: Edges


class Sample(BaseModel):
    """One sample; what else the files tell of it (camera, features) is not read."""

    model_config = ConfigDict(frozen=True)

    rgb: str = Field(min_length=1)
    depth: str = Field(min_length=1)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    subject: Thing
    object: Thing
    predicate: str = Field(min_length=1)
    label: StrictBool

    @property
    def scene(self) -> str | None:
        """What its pictures show, in whatever state and by whatever camera; None where its name does not tell."""
        named = _NAME.fullmatch(Path(self.rgb).name)
        return named["scene"] if named else None

    @property
    def view(self) -> str | None:
        """The scene seen by one camera."""
        named = _NAME.fullmatch(Path(self.rgb).name)
        return f"{named['scene']} cam{named['camera']}" if named else None


@dataclass(frozen=True)
class Samples:
    """The samples of each split, by its name in the data set, and all predicates."""

    splits: dict[str, list[Sample]]
    predicates: tuple[str, ...]


def read(path: Path) -> Samples:
    """The samples in `path`; `UserError` naming the first that is none."""
    try:
        content = json.loads(text_files.read_text(path))
    except ValueError as error:
        raise UserError(f"{path}: damaged JSON ({error}); fetch the file again") from None
    if not isinstance(content, dict) or not set(SPLITS) <= content.keys():
        raise UserError(f"{path}: expected an object with {', '.join(SPLITS)}; give the JSON of one of Rel3D's splits")
    splits = {name: [_sample(path, split, *one) for one in enumerate(content[split])] for split, name in SPLITS.items()}
    named = content.get("predicates") or sorted({s.predicate for samples in splits.values() for s in samples})
    return Samples(splits, tuple(named))


def _sample(path: Path, split: str, number: int, record: Any) -> Sample:
    try:
        return Sample.model_validate(record)
    except ValidationError as error:
        raise UserError(
            f"{path} {split} sample {number}: {first_fault(error)}; mend the file or fetch it again"
        ) from None


def pairs_of(samples: Sequence[Sample]) -> list[str | None]:
    """The pair of each sample, by the view that both share; None for one that has no other.

    Where a view has several states, the first that holds goes with the first that fails.
    """
    views: dict[str, dict[bool, list[int]]] = {}
    for number, sample in enumerate(samples):
        if sample.view is not None:
            views.setdefault(sample.view, {True: [], False: []})[sample.label].append(number)
    pairs: list[str | None] = [None] * len(samples)
    for view, by_label in views.items():
        for again, both in enumerate(zip_longest(by_label[True], by_label[False])):
            if None not in both:
                for number in both:
                    pairs[number] = view if again == 0 else f"{view} #{again + 1}"
    return pairs
