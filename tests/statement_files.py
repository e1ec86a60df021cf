"""Rel3D and SpatialSense in the small, in the form of their own files: a few scenes and photographs of our own.

Each has its odd cases: boxes as texts and without an area, a name with a space at its end, pictures that are missing,
one picture in two splits under one name and under two.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 320, 180
"""A quarter of Rel3D's on each side."""
STORED, MARGIN = 256, 16
PREDICATES = ("behind (wrt you)", "near", "on", "points towards")
SCENES = {
    "train": (("on", "Cup", "Desk ", 2), ("near", "Airplane", "Fruit", 1), ("points towards", "Gun", "Child Bed", 1)),
    "valid": (("on", "Ball", "TV", 1),),
    "test": (("near", "Ball", "Box", 2), ("behind (wrt you)", "Dog", "Box", 1)),
}
"""(predicate, subject, object, cameras) by split; each makes a pair for each camera."""


def scene_path(predicate: str, subject: str, object: str, state: str, camera: int, kind: str = "rgb.png") -> str:
    """As Rel3D names its pictures."""
    return f"./data/20200223/{predicate} - {subject}_s1 - {object}_s2 - {state} cam{camera} {kind}"


def sample(predicate: str, subject: str, object: str, *, label: bool, camera: int = 0) -> dict[str, Any]:
    """One sample as Rel3D's JSON has it."""
    state = "initialState" if label else "finalState"
    left = 25 if label else 175
    return {
        "rgb": scene_path(predicate, subject, object, state, camera),
        "depth": scene_path(predicate, subject, object, state, camera, "depth.tiff"),
        "width": WIDTH,
        "height": HEIGHT,
        "camera_info": {"elevation": 0.1 * camera},
        "subject": {"name": subject, "bbox": {"top": "45", "left": str(left), "width": "80.0", "height": "22.5"}},
        "object": {"name": object, "bbox": {"top": 90.0, "left": 160, "width": 16, "height": 45}},
        "predicate": predicate,
        "label": label,
        "transform_vector": {
            "raw_absolute": [0.0] * 24,
            "aligned_absolute": [0.0] * 18,
            "aligned_relative": [0.0] * 12,
        },
    }


def samples() -> dict[str, list[dict[str, Any]]]:
    """The samples of each split, in pairs."""
    return {
        split: [
            sample(*names, label=label, camera=camera)
            for *names, cameras in scenes
            for camera in range(cameras)
            for label in (True, False)
        ]
        for split, scenes in SCENES.items()
    }


def rendered(entry: dict[str, Any]) -> Image.Image:
    """What its camera saw: both boxes on a ground of the scene's own colour."""
    colour = sum(map(ord, entry["rgb"])) % 200
    picture = Image.new("RGB", (WIDTH, HEIGHT), (colour, 90, 140))
    for role, fill in (("object", "yellow"), ("subject", "red")):
        top, left, width, height = (float(entry[role]["bbox"][side]) for side in ("top", "left", "width", "height"))
        ImageDraw.Draw(picture).rectangle([left, top, left + width, top + height], fill=fill)
    return picture


def save_rel3d(
    folder: Path, by_split: dict[str, list[dict[str, Any]]] | None = None, *, name: str = "c_0.9_c_0.1"
) -> Path:
    """The JSON and the HDF5 file of each split; a sample with the key `lost` has no picture there."""
    by_split = samples() if by_split is None else by_split
    folder.mkdir(parents=True, exist_ok=True)
    stored = {split: [{k: v for k, v in one.items() if k != "lost"} for one in all] for split, all in by_split.items()}
    objects = sorted({one[role]["name"] for all in by_split.values() for one in all for role in ("subject", "object")})
    content = {**stored, "predicates": list(PREDICATES), "objects": objects}
    (folder / f"{name}.json").write_text(json.dumps(content))
    for split, entries in by_split.items():
        _save_h5(folder / f"{name}_{split}_False.h5", [one for one in entries if "lost" not in one])
    return folder


def save_rendered(folder: Path, entries: Sequence[dict[str, Any]]) -> Path:
    """The pictures as PNG and their depth as TIFF of samples from 0 to 1."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        rendered(entry).save(folder / Path(entry["rgb"]).name)
        slope = np.tile(np.linspace(0, 1, WIDTH, dtype=np.float32), (HEIGHT, 1))
        Image.fromarray(slope).save(folder / Path(entry["depth"]).name)
    return folder


def _save_h5(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    with h5py.File(path, "w") as file:
        kinds = {kind: file.create_dataset(kind, (len(entries),), dtype=h5py.vlen_dtype(np.uint8)) for kind in KINDS}
        for number, entry in enumerate(entries):
            picture = rendered(entry)
            depth = Image.linear_gradient("L").resize(picture.size)
            for kind, made in (("rgb", picture), ("depth", depth), ("bbox", Image.new("RGB", picture.size))):
                kinds[kind][number] = np.frombuffer(_packed(made), dtype=np.uint8)
        for kind in ("rgb", "depth"):
            places = {entry[kind]: number for number, entry in enumerate(entries)}
            file.create_dataset(f"{kind}_path_to_id", data=json.dumps(places))


KINDS = ("rgb", "depth", "bbox")


def _packed(picture: Image.Image) -> bytes:
    """Squeezed to a square in the middle of black, as Rel3D packs it."""
    inner = STORED - 2 * MARGIN
    square = Image.new(picture.mode, (STORED, STORED))
    square.paste(picture.resize((inner, inner)), (MARGIN, MARGIN))
    packed = io.BytesIO()
    square.save(packed, "PNG")
    return packed.getvalue()


FLICKR = "https://farm4.staticflickr.com/3543"
PHOTOGRAPHS = (
    (
        "train",
        f"{FLICKR}/1_a.jpg",
        (60, 40),
        (("on", "cat", "mat", True), ("next to", "cat", "a Mirror", False)),
    ),
    ("train", "nyu/00012.jpg", (400, 30), (("on", "man", "bed", False),)),
    ("train", f"{FLICKR}/2_b.jpg", (50, 50), (("on", "dog", "floor", True), ("behind", "dog", "door", True))),
    ("valid", f"{FLICKR}/3_c.jpg", (48, 64), (("on", "cup", "TV", True), ("on", "TV", "cup", False))),
    ("test", f"{FLICKR}/4_d.jpg", (64, 48), (("on", "hat", "head", True), ("behind", "tree", "house", False))),
    ("test", f"{FLICKR}/2_b_again.jpg", (50, 50), (("on", "shoe", "floor", False),)),
)
"""(split, url, size, relations); the last shows the same as the third."""
SAME = {f"{FLICKR}/2_b_again.jpg": f"{FLICKR}/2_b.jpg"}


def annotations() -> list[dict[str, Any]]:
    """As SpatialSense's annotations.json has them; the first thing of the first photograph has no area."""
    made = []
    for number, (split, url, (width, height), relations) in enumerate(PHOTOGRAPHS):
        made.append(
            {
                "url": url,
                "nsid": "1@N0" if url.startswith("http") else None,
                "height": height,
                "width": width,
                "split": split,
                "annotations": [
                    {
                        "_id": f"59fb{number:02d}{place:02d}",
                        "predicate": predicate,
                        "object": {"y": 20, "x": 30, "name": object, "bbox": [10, 30, 20, 45]},
                        "subject": {
                            "y": 5,
                            "x": 5,
                            "name": subject,
                            "bbox": [2, 9, 4, 4 if number + place == 0 else 11],
                        },
                        "label": label,
                    }
                    for place, (predicate, subject, object, label) in enumerate(relations)
                ],
            }
        )
    return made


def save_spatialsense(folder: Path, entries: Sequence[dict[str, Any]] | None = None) -> Path:
    """The annotations and the photographs in images/flickr and images/nyu."""
    entries = annotations() if entries is None else entries
    for place in ("flickr", "nyu"):
        (folder / "images" / place).mkdir(parents=True, exist_ok=True)
    (folder / "annotations.json").write_text(json.dumps(entries))
    for entry in entries:
        url = entry["url"]
        shade = sum(map(ord, SAME.get(url, url))) % 200
        picture = Image.new("RGB", (entry["width"], entry["height"]), (shade, 200 - shade, 77))
        place = "flickr" if url.startswith("http") else "nyu"
        picture.save(folder / "images" / place / url.rsplit("/", 1)[-1])
    return folder
