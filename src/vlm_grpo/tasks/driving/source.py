"""Where DrivingVQA comes from: `train.json`, `test.json` and `images` in a folder, or as the hub has them."""

from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.rows import hub
from vlm_grpo.rows.archives import unpack
from vlm_grpo.tasks.driving import items
from vlm_grpo.tasks.driving.items import Items

HUB_ID = "EPFL-DrivingVQA/DrivingVQA"
SPLITS = ("train", "test")
PICTURES = "images.zip"


def from_folder(folder: Path, splits: tuple[str, ...], *, limit: int | None = None) -> Items:
    """The items of `folder`; pictures lie in it where `img_filename` says, or in its `images`."""
    files = {split: folder / f"{split}.json" for split in splits}
    for path in files.values():
        if not path.is_file():
            raise UserError(f"{path} is missing; give the folder of DrivingVQA's files, or fewer splits with --split")
    return _read("local files", files, folder, limit)


def from_hub(hub_id: str, revision: str | None, splits: tuple[str, ...], *, scratch: Path, limit: int | None) -> Items:
    """The items of a data set on the hub, whose archive of pictures is unpacked to `scratch`."""
    names = [*(f"{split}.json" for split in splits), PICTURES]
    (*texts, pictures), commit = hub.fetch(hub_id, names, revision=revision, instead="--folder")
    unpack(pictures, scratch)
    return _read(hub_id, dict(zip(splits, texts, strict=True)), scratch, limit, revision=commit)


def _read(name: str, files: dict[str, Path], folder: Path, limit: int | None, revision: str | None = None) -> Items:
    read, dropped = [], []
    for split, path in files.items():
        pictures = folder if _names_folder(path) else folder / "images"
        of_split, gone = items.read(path, split, pictures=pictures, limit=limit)
        read += of_split
        dropped += gone
    return Items(name, files, read, dropped, revision)


def _names_folder(path: Path) -> bool:
    """Whether the pictures' names in `path` start with the folder `images`."""
    return any(str(record.get("img_filename")).startswith("images/") for _, record in items.records(path))
