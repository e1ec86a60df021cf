"""COCO 2014 on disk: annotations and pictures, fetched where they are not there.

A folder has the layout of COCO's archives: `annotations/instances_{train,val}2014.json`, `train2014/`, `val2014/`. All
pictures of a split come as one archive (13.5 and 6.6 GB, kept beside the folders); a few come one by one.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.rows.archives import Archive, fetch, unpack
from vlm_grpo.rows.download import Policy, fetch_pictures
from vlm_grpo.tasks.coco.instances import Picture

HOST = "http://images.cocodataset.org"
SPLITS = {"train": "train", "val": "validation"}
"""COCO's splits, and what they are called in a data set."""
ANNOTATIONS = Archive(f"{HOST}/annotations/annotations_trainval2014.zip", 252872794, "0a379cfc70b0e71301e0f377548639bd")
PICTURES = {
    "train": Archive(f"{HOST}/zips/train2014.zip", 13510573713, "0da8c0bd3d6becc4dcb32757491aca88"),
    "val": Archive(f"{HOST}/zips/val2014.zip", 6645013297, "a3d79f5ed8d289b7a7554ce06a5782b3"),
}

BESIDE = ("annotations", "train2014", "val2014", "*.zip", "*.zip.part")
"""What may lie in the folder of a data set before it is built there."""


def instances_file(folder: Path, split: str) -> Path:
    """Where the objects of `split` are annotated."""
    return folder / "annotations" / f"instances_{split}2014.json"


def picture_name(picture: Picture, split: str) -> str:
    """The place of a picture, relative to the folder."""
    return f"{split}2014/{picture.name}"


def have_annotations(folder: Path, splits: Sequence[str], *, may_fetch: bool, host: str = HOST) -> None:
    """Have the annotations of `splits` in `folder`; `UserError` where they are not there and nothing may be fetched."""
    missing = [instances_file(folder, split) for split in splits if not instances_file(folder, split).is_file()]
    if missing and not may_fetch:
        raise UserError(f"{missing[0]} is missing; put it there, or leave out --skip-download")
    if missing:
        names = {f"annotations/{file.name}" for file in missing}
        unpack(fetch(_from(ANNOTATIONS, host), folder), folder, wanted=lambda name: name in names)


def have_pictures(
    folder: Path, pictures: Sequence[Picture], split: str, *, one_by_one: bool, policy: Policy, host: str = HOST
) -> dict[str, str]:
    """Have `pictures` of `split` in `folder`; by place, the reason why one cannot be had."""
    missing = [picture for picture in pictures if not (folder / picture_name(picture, split)).is_file()]
    if not missing:
        return {}
    if not one_by_one:
        unpack(fetch(_from(PICTURES[split], host), folder, policy), folder)
        return absent(folder, pictures, split)
    (folder / f"{split}2014").mkdir(parents=True, exist_ok=True)
    addresses = {f"{host}/{picture_name(picture, split)}": picture_name(picture, split) for picture in missing}
    outcome = fetch_pictures({address: folder / name for address, name in addresses.items()}, policy)
    return {addresses[address]: reason for address, reason in outcome.failed.items()}


def absent(folder: Path, pictures: Sequence[Picture], split: str) -> dict[str, str]:
    """Those of `pictures` that are not in `folder`, by place, with the reason."""
    names = (picture_name(picture, split) for picture in pictures)
    return {name: f"no picture in {folder}" for name in names if not (folder / name).is_file()}


def _from(archive: Archive, host: str) -> Archive:
    """The same archive on another host."""
    return replace(archive, address=host + archive.address.removeprefix(HOST))
