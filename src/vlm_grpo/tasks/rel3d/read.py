"""From Rel3D's samples and pictures to statements: which can be used, where their things are, what they are saved as.

The study saved each picture of a split under a number, as JPEG; the clean preparation keeps it without loss, once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from vlm_grpo.errors import UserError
from vlm_grpo.pair_names import pair_names
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.rel3d import samples as files
from vlm_grpo.tasks.rel3d.pictures import Folder, Hdf5, Pictures
from vlm_grpo.tasks.rel3d.samples import Sample, Thing
from vlm_grpo.tasks.rel3d.task import NAME, PAIR
from vlm_grpo.tasks.statements import panels
from vlm_grpo.tasks.statements.build import SPLITS, Options, Source, chosen
from vlm_grpo.tasks.statements.statement import Box, Shown, Statement


def read(data: Path, name: str, *, pictures: Path | None, options: Options) -> Source:
    """The statements of the split `name` in Rel3D's folder `data`; `pictures` is a folder of them as rendered."""
    path = data / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in data.glob("*c_*_*c_*.json"))) or "none"
        raise UserError(f"{path} is missing; give --data Rel3D's folder data and --name one of its splits ({there})")
    content = files.read(path)
    wanted = chosen(options.predicates, content.predicates)
    hashes = {path.name: file_hash(path)}
    statements: list[Statement] = []
    dropped: list[dict[str, Any]] = []
    for of_files, split in SPLITS.items():
        samples = content.splits[split]
        taken = [n for n, sample in enumerate(samples) if sample.predicate in wanted][: options.limit]
        source: Pictures
        if pictures is None:
            h5 = data / f"{name}_{of_files}_False.h5"
            source = Hdf5.open(h5)
            hashes[h5.name] = file_hash(h5)
        else:
            source = Folder.open(pictures, [samples[n] for n in taken])
        pairs = files.pairs_of(samples)
        for n in taken:
            one = _One(split, n, samples[n], source, options)
            if fault := one.fault():
                dropped.append({"split": split, "id": one.id, "reason": fault})
            else:
                statements.append(one.statement(pairs[n]))
    return Source(
        name=f"Rel3D {name}",
        task=NAME,
        hashes=hashes,
        statements=statements,
        dropped=dropped,
        config={"name": name, "pictures": "hdf5" if pictures is None else "rendered"},
        pair=PAIR,
        told={
            "predicates": list(wanted),
            "shared_scenes": _shared_scenes(statements),
            **({"panels": panels.NAME} if options.panels else {}),
        },
    )


@dataclass(frozen=True)
class _One:
    """Sample `number` of a split, with the pictures of that split."""

    split: str
    number: int
    sample: Sample
    pictures: Pictures
    options: Options

    @property
    def id(self) -> str:
        return f"{self.split}-{self.number:06d}"

    def fault(self) -> str | None:
        """Why it cannot be used; None: it can."""
        if fault := self.pictures.fault(self.sample, needs_depth=self.options.panels):
            return fault
        if self.options.panels and self.options.preparation == "clean":
            for role, thing in (("subject", self.sample.subject), ("object", self.sample.object)):
                if not thing.bbox.width or not thing.bbox.height:
                    return f"the box of its {role} has no area, so that panel would be empty"
        return None

    def statement(self, pair: str | None) -> Statement:
        """As it is shown."""
        size = self.pictures.size(self.sample)
        subject, object = (_box(thing, self.sample, size) for thing in (self.sample.subject, self.sample.object))
        return Statement(
            id=self.id,
            split=self.split,
            subject=self.sample.subject.name,
            relation=self.sample.predicate,
            object=self.sample.object.name,
            holds=self.sample.label,
            shown=Shown(
                f"images/{self._name()}",
                self.pictures.content(self.sample),
                Path(self.sample.rgb).name,
                self._save(subject, object),
            ),
            subject_box=subject,
            object_box=object,
            more={PAIR: pair, "scene": self.sample.scene},
        )

    def _name(self) -> str:
        if self.options.preparation == "study":
            return f"{self.split}/{self.number:06d}.jpg"
        return f"{self.id}.png" if self.options.panels else self.pictures.name(self.sample)

    def _save(self, subject: Box | None, object: Box | None) -> Callable[[Path], None]:
        def made() -> Image.Image:
            rgb = self.pictures.rgb(self.sample)
            if not self.options.panels:
                return rgb
            return panels.four_panels(rgb, self.pictures.depth(self.sample), subject, object)

        if self.options.panels or self.options.preparation == "study":
            return lambda place: made().save(place)
        return lambda place: self.pictures.save(self.sample, place)


def _box(thing: Thing, sample: Sample, size: tuple[int, int]) -> Box | None:
    """Its box in a picture of that (width, height); None where it has no area."""
    box = thing.bbox
    if not box.width or not box.height:
        return None
    across, down = size[0] / sample.width, size[1] / sample.height
    return [
        round(edge, 3)
        for edge in (
            *(box.left * across, box.top * down),
            *((box.left + box.width) * across, (box.top + box.height) * down),
        )
    ]


def _shared_scenes(statements: list[Statement]) -> dict[str, int]:
    """How many scenes each two splits both show, in whatever state and by whatever camera."""
    scenes: dict[str, set[Any]] = {split: set() for split in SPLITS.values()}
    for statement in statements:
        scenes[statement.split].add(statement.more["scene"])
    return {name: len((scenes[a] & scenes[b]) - {None}) for name, (a, b) in pair_names(scenes).items()}
