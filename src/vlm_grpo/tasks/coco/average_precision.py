"""COCO's average precision by pycocotools, of boxes or of masks: a pure function of annotations and detections.

Only what pycocotools takes for granted is added: ids count from 1 (COCOeval takes a detection that is matched to
annotation 0 for unmatched), the caller's objects stay as they are, and nothing is printed.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any, Literal

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

Kind = Literal["bbox", "segm"]
NAMES = ("AP", "AP50", "AP75")


def average_precision(
    annotations: Sequence[Mapping[str, Any]],
    detections: Sequence[Mapping[str, Any]],
    *,
    kind: Kind,
    sizes: Mapping[int, tuple[int, int]],
) -> dict[str, float | None]:
    """AP over IoU .50 to .95, AP50 and AP75 over all areas, 100 detections a picture.

    Args:
        annotations: COCO's objects; `image_id`, `category_id`, `area`, and `bbox` (x, y, width, height in pixels) or
            `segmentation` (polygons or RLE), perhaps `iscrowd`.
        detections: `image_id`, `category_id`, `score` and `bbox` or `segmentation` (RLE).
        kind: what is compared.
        sizes: (width, height) of every picture by its id; detections in others are left out, as COCO does.

    Returns:
        The three by name; None where no annotation can be found (all of them crowds, or none at all).
    """
    truth = _coco(
        [{"iscrowd": 0, **annotation, "id": number} for number, annotation in enumerate(annotations, start=1)], sizes
    )
    known = [dict(detection) for detection in detections if detection["image_id"] in sizes]
    if not known:
        return dict.fromkeys(NAMES, 0.0 if any(not a.get("iscrowd") for a in annotations) else None)
    with redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(known), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = [float(value) for value in evaluation.stats[: len(NAMES)]]
    return {name: value if value >= 0 else None for name, value in zip(NAMES, stats, strict=True)}


def _coco(annotations: list[dict[str, Any]], sizes: Mapping[int, tuple[int, int]]) -> COCO:
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": id, "width": width, "height": height} for id, (width, height) in sizes.items()],
        "annotations": annotations,
        "categories": [{"id": id} for id in sorted({a["category_id"] for a in annotations})],
    }
    with redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco
