"""`zoom`: the model may enlarge a part of its picture before it answers (r1_vlm's zoom by a keypoint).

The tool cuts 400 x 400 pixels out around a pixel of the picture as it is, shifted to stay inside, and enlarges them
until their longer side is the picture's (at least 400 pixels): more tokens for the same region. Keypoints count whole
pixels of the picture as it is, whose size the question tells, whatever the processor makes of it.

Left out: r1_vlm's zoom into pictures that came of a zoom, and rows of several pictures.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from vlm_grpo.environments.base import Environment, Reply
from vlm_grpo.environments.text_calls import ToolError, answer_call, result
from vlm_grpo.errors import UserError
from vlm_grpo.rows.images import upright_size
from vlm_grpo.rows.records import Row

SIDE = 400
"""Width and height of the region that is cut out, in pixels, where the picture is that large."""
KEYPOINT = re.compile(r"\[ *([0-9]{1,6}) *, *([0-9]{1,6}) *\]")
TOLD = """\
The image is {width} x {height} pixels. Instead of an answer you may, after your reasoning, ask for the \
{side} x {side} pixels around a point of it, enlarged, by ending with
<tool>
name: zoom
keypoint: [x, y]
</tool>
where x and y are whole pixels from the top left corner. The enlarged image comes back with <result> </result>."""
TOLD_NATIVE = "The image is {width} x {height} pixels. Before you answer you may enlarge parts of it with zoom."
Box = tuple[int, int, int, int]


def region(size: tuple[int, int], keypoint: tuple[int, int]) -> Box:
    """Left, top, right and bottom, in pixels, of what is cut out of a picture of `size` around `keypoint`.

    `ToolError` where the keypoint lies outside of the picture.
    """
    for at, length in zip(keypoint, size, strict=True):
        if not 0 <= at < length:
            raise ToolError(
                f"keypoint [{keypoint[0]}, {keypoint[1]}] lies outside of the image of {size[0]} x {size[1]} pixels"
            )
    across, down = min(SIDE, size[0]), min(SIDE, size[1])
    left = min(max(keypoint[0] - across // 2, 0), size[0] - across)
    top = min(max(keypoint[1] - down // 2, 0), size[1] - down)
    return left, top, left + across, top + down


def enlarge(picture: Image.Image, box: Box) -> Image.Image:
    """The part `box` of `picture`, its longer side as long as the picture's and at least `SIDE` pixels."""
    part = picture.crop(box)
    scale = max(*picture.size, SIDE) / max(part.size)
    return part.resize((round(part.width * scale), round(part.height * scale)), Image.Resampling.LANCZOS)


def described(box: Box) -> str:
    """What is said of the part `box`."""
    return f"The image from [{box[0]}, {box[1]}] to [{box[2]}, {box[3]}], enlarged."


def respond(said: Sequence[str], pictures: Sequence[Image.Image]) -> Reply | None:
    """The enlarged region where the last turn calls for it, the reason where it cannot be had; None where none does."""

    def zoom(arguments: Mapping[str, str]) -> Reply:
        if list(arguments) != ["keypoint"]:
            raise ToolError("zoom takes one argument, keypoint: [x, y]")
        numbers = KEYPOINT.fullmatch(arguments["keypoint"].strip())
        if numbers is None:
            raise ToolError("keypoint must be two whole numbers of pixels, [x, y]")
        box = region(pictures[0].size, (int(numbers[1]), int(numbers[2])))
        return Reply(text=result(described(box)), picture=enlarge(pictures[0], box), is_call=True)

    return answer_call(said[-1], {"zoom": zoom})


class ZoomTools:
    """The same as TRL calls it: one instance a rollout, its public methods are the model's tools."""

    def reset(self, images: Sequence[Image.Image], **_: Any) -> None:
        """Begin a rollout of a row that shows `images`."""
        self._picture = images[0]

    def zoom(self, keypoint: list[int]) -> list[dict[str, Any]]:
        """Enlarge the 400 x 400 pixels around a point of the image.

        Args:
            keypoint: The point as [x, y], in whole pixels from the top left corner of the image.

        Returns:
            The enlarged part of the image.
        """
        is_point = isinstance(keypoint, list) and [type(number) for number in keypoint] == [int, int]
        if not is_point:
            raise ToolError("keypoint must be two whole numbers of pixels, [x, y]")
        box = region(self._picture.size, (keypoint[0], keypoint[1]))
        return [
            {"type": "image", "image": enlarge(self._picture, box)},
            {"type": "text", "text": described(box)},
        ]


def told(row: Row, root: Path) -> str:
    """How the tool is called, and the picture's size; `UserError` for a row that does not show one picture."""
    return _filled(TOLD, row, root)


def told_native(row: Row, root: Path) -> str:
    """The picture's size; the chat template describes the tool."""
    return _filled(TOLD_NATIVE, row, root)


def _filled(template: str, row: Row, root: Path) -> str:
    if len(row.images) != 1:
        raise UserError(
            f"row {row.id} shows {len(row.images)} pictures, and zoom looks into one; leave out such rows, or the "
            "environment"
        )
    width, height = upright_size(root / row.images[0])
    return template.format(width=width, height=height, side=SIDE)


ENVIRONMENT = Environment(
    name="zoom",
    respond=respond,
    told=told,
    told_native=told_native,
    tools=ZoomTools,
    adds_pictures=True,
    protocols={"qwen2_vl": "text", "qwen2_5_vl": "text", "qwen3_vl": "native"},
)
