"""Read a COCO instances file: pictures, categories and objects, each checked; masks as run lengths.

An object that cannot be used (of an unknown picture or category, without a box, with an id that occurred before) is
listed with its reason and not fatal; what is wrong with a picture or with the file's form is a `UserError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools import mask as rle_masks

from vlm_grpo.errors import UserError
from vlm_grpo.store import manifest

Rle = dict[str, Any]
"""A mask as pycocotools has it, in JSON's types: `size` [height, width] and `counts` (compressed, text)."""
NEEDED = {"images": {"id", "file_name"}, "annotations": {"id"}, "categories": {"id", "name"}}
LISTS = tuple(NEEDED)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its file's name, width and height in pixels, and where it can be fetched from."""

    id: int
    name: str
    width: int
    height: int
    address: str | None


@dataclass(frozen=True, slots=True)
class Instance:
    """An object.

    Attributes:
        box: left, top, right, bottom in pixels.
        area: of its mask in pixels, as annotated.
        segmentation: polygons (lists x, y, x, y, ...) or run lengths, as annotated.
    """

    id: int
    picture: Picture
    category: str
    box: tuple[float, float, float, float]
    area: float
    is_crowd: bool
    segmentation: Any


@dataclass(frozen=True, slots=True)
class Instances:
    """A file's content, in its order; `faults` are (annotation id, reason) of the objects that cannot be used."""

    pictures: tuple[Picture, ...]
    categories: tuple[str, ...]
    instances: tuple[Instance, ...]
    faults: tuple[tuple[str, str], ...]


def read(path: Path) -> Instances:
    """The content of the instances file `path`."""
    content = manifest.read_json(path, is_ours=False)
    for name in LISTS:
        if not isinstance(content.get(name), list):
            raise UserError(f"{path}: no list {name!r}; give a COCO instances file")
    for name in LISTS:
        for entry in content[name]:
            if not isinstance(entry, dict) or not NEEDED[name] <= entry.keys():
                needed = ", ".join(sorted(NEEDED[name]))
                raise UserError(f"{path}: an entry of {name!r} is no object with {needed}; mend the file")
    pictures = _pictures(content["images"], path)
    categories = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
    instances: dict[int, Instance] = {}
    faults = []
    for entry in content["annotations"]:
        fault = _fault(entry, pictures, categories, instances)
        if fault is None:
            left, top, width, height = map(float, entry["bbox"])
            instances[entry["id"]] = Instance(
                id=entry["id"],
                picture=pictures[entry["image_id"]],
                category=categories[entry["category_id"]],
                box=(left, top, left + width, top + height),
                area=float(entry.get("area", width * height)),
                is_crowd=bool(entry.get("iscrowd", 0)),
                segmentation=entry.get("segmentation"),
            )
        else:
            faults.append((str(entry.get("id")), fault))
    return Instances(tuple(pictures.values()), tuple(categories.values()), tuple(instances.values()), tuple(faults))


def _pictures(entries: Sequence[Mapping[str, Any]], path: Path) -> dict[int, Picture]:
    pictures: dict[int, Picture] = {}
    for entry in entries:
        width, height = entry.get("width"), entry.get("height")
        if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
            raise UserError(f"{path}: image {entry.get('id')} has the size {width} x {height}; mend the file")
        if entry["id"] in pictures:
            raise UserError(f"{path}: image id {entry['id']} occurs twice; mend the file")
        name = str(entry["file_name"])
        if not name or name.startswith((".", "/")) or ".." in name.split("/"):
            raise UserError(f"{path}: image {entry['id']} has the file name {name!r}; mend the file")
        pictures[entry["id"]] = Picture(entry["id"], name, width, height, entry.get("coco_url"))
    return pictures


def _fault(
    entry: Mapping[str, Any], pictures: Mapping[Any, Picture], categories: Mapping[Any, str], before: Mapping[Any, Any]
) -> str | None:
    """Why the annotation `entry` cannot be used; None: it can."""
    box = entry.get("bbox")
    if entry.get("image_id") not in pictures:
        return f"image {entry.get('image_id')} is not in the file"
    if entry.get("category_id") not in categories:
        return f"category {entry.get('category_id')} is not in the file"
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(side, int | float) for side in box):
        return "it has no box"
    if not (box[2] > 0 and box[3] > 0):
        return f"its box is {box[2]} x {box[3]}"
    return f"id {entry['id']} occurs twice" if entry.get("id") in before else None


def mask(instance: Instance) -> Rle | None:
    """The mask of `instance`, of all its parts together; None where it has none (no segmentation, no pixel)."""
    rle = to_rle(instance.segmentation, width=instance.picture.width, height=instance.picture.height)
    return rle if rle is not None and rle_masks.area(rle) > 0 else None


def mask_fault(instance: Instance) -> str | None:
    """Why the mask of `instance` cannot be read; None: it can, or there is none.

    Run lengths packed into text are not unpacked here: of these only the size is checked.
    """
    annotated, picture = instance.segmentation, instance.picture
    if annotated is None:
        return None
    if isinstance(annotated, dict):
        size, counts = annotated.get("size"), annotated.get("counts")
        if size != [picture.height, picture.width]:
            return f"its mask has the size {size}, its picture {[picture.height, picture.width]} (height, width)"
        if isinstance(counts, list):
            is_run = all(type(count) is int and count >= 0 for count in counts)
            is_whole = is_run and sum(counts) == picture.height * picture.width
            return None if is_whole else "the run lengths of its mask do not make up its picture"
        return None if isinstance(counts, str) else "its mask has no run lengths"
    if isinstance(annotated, list) and all(isinstance(polygon, list) for polygon in annotated):
        flat = [side for polygon in annotated for side in polygon]
        if all(type(side) in (int, float) for side in flat) and not any(len(polygon) % 2 for polygon in annotated):
            return None
    return "its mask is neither polygons nor run lengths"


def to_rle(segmentation: Any, *, width: int, height: int) -> Rle | None:
    """Polygons, or run lengths compressed or not, as run lengths of a picture of that size; None where there is none.

    A polygon of fewer than three points has no inside and is left out.
    """
    if isinstance(segmentation, dict):
        packed = segmentation["counts"]
        return text_rle(
            rle_masks.frPyObjects(segmentation, height, width) if isinstance(packed, list) else segmentation
        )
    polygons = [polygon for polygon in segmentation or () if len(polygon) >= 6]
    return text_rle(rle_masks.merge(rle_masks.frPyObjects(polygons, height, width))) if polygons else None


def text_rle(rle: Mapping[str, Any]) -> Rle:
    """`rle` with its counts as text, as JSON takes them."""
    counts = rle["counts"]
    return {
        "size": [int(side) for side in rle["size"]],
        "counts": counts if isinstance(counts, str) else counts.decode("ascii"),
    }
