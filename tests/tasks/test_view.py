"""How a model sees pictures: sizes as the processor resizes them, and boxes brought back to the picture as it is."""

import pytest
from PIL import Image

from tiny_data import save_pictures, tiny_rows
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.tasks.view import AS_IS, View, views

SIZES = [(112, 112), (300, 200), (40, 30), (1000, 60)]


@pytest.mark.parametrize(
    "family, options",
    [
        ("tiny_qwen", {}),
        ("tiny_qwen", {"max_pixels": 112 * 112}),
        ("tiny_smolvlm", {}),
        ("tiny_internvl", {"max_patches": 6}),
        ("tiny_internvl", {"max_patches": 1}),
    ],
)
def test_the_view_is_what_the_processor_shows(family, options, request, tmp_path):
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    processor = checkpoint.load_processor(**options)
    save_pictures(tmp_path)
    rows = []
    for row, size in zip(tiny_rows(4), SIZES, strict=True):
        Image.new("RGB", size).save(tmp_path / row.images[0])
        rows.append(row)
    seen = views(rows, root=tmp_path, adapter=checkpoint.adapter, processor=processor)
    for row, size in zip(rows, SIZES, strict=True):
        assert seen[row.id].sizes == (size,)
        if family == "tiny_qwen":
            encoded = processor.image_processor(images=[Image.new("RGB", size)], return_tensors="pt")
            _, high, wide = encoded["image_grid_thw"][0].tolist()
            side = processor.image_processor.patch_size
            assert seen[row.id].shown == ((wide * side, high * side),)
            assert seen[row.id].frame == "resized_pixels"
        if family == "tiny_internvl":
            cut = processor.image_processor(images=[Image.new("RGB", size)], crop_to_patches=True)["num_patches"]
            ((wide, high),) = seen[row.id].shown
            tiles = wide * high // processor.image_processor.size["height"] ** 2
            assert cut == [tiles + (tiles > 1)]
            assert seen[row.id].frame == "thousandths"


def test_boxes_come_back_to_the_pictures_own_pixels():
    sizes = {"sizes": ((200, 100), (400, 300)), "shown": ((100, 100), (200, 300))}
    assert View(frame="pixels", **sizes).to_pixels([1, 2, 3, 4]) == [1, 2, 3, 4]
    assert View(frame="resized_pixels", **sizes).to_pixels([10, 20, 30, 40]) == [20, 20, 60, 40]
    assert View(frame="resized_pixels", **sizes).to_pixels([10, 20], picture=1) == [20, 20]
    assert View(frame="thousandths", **sizes).to_pixels([500, 500, 1000, 1000]) == [100, 50, 200, 100]
    assert AS_IS.to_pixels([1, 2]) == [1, 2]
    for frame in ("pixels", "resized_pixels", "thousandths"):
        view = View(frame=frame, **sizes)
        assert view.to_pixels(view.to_frame([11, 22, 33, 44])) == pytest.approx([11, 22, 33, 44])
    assert View(frame="thousandths", **sizes).to_frame([100, 50, 200, 100]) == [500, 500, 1000, 1000]


def test_a_frame_is_told_in_words():
    sizes = {"sizes": ((640, 480),), "shown": ((644, 476),)}
    assert View(frame="pixels", **sizes).in_words() == "in pixels of the 640 x 480 image"
    assert View(frame="resized_pixels", **sizes).in_words() == "in pixels of the 644 x 476 image"
    assert View(frame="thousandths", **sizes).in_words().startswith("in thousandths of the image's width and height")
