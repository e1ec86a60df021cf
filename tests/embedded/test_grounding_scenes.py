"""Scenes of shapes: boxes are tight around masks, pictures show them, and nothing else."""

import random

import numpy as np
import pytest

from vlm_grpo.embedded.grounding_scenes import (
    CELL,
    SHAPES,
    SIDE,
    UNIT,
    GroundingScene,
    Shape,
    draw_scene,
    render,
    seen,
)
from vlm_grpo.embedded.scenes import COLOURS, GRID, pool_of
from vlm_grpo.tasks.masks import outlines


def scenes(count: int, **which) -> list[GroundingScene]:
    rng = random.Random(0)
    return [draw_scene(rng, **({"pool": "train"} | which)) for _ in range(count)]


def test_a_box_is_tight_around_its_mask_and_inside_its_cell() -> None:
    for shape in (shape for scene in scenes(150) for shape in scene.shapes):
        ys, xs = np.nonzero(shape.mask())
        left, top, right, bottom = shape.box
        assert [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] == [left, top, right, bottom]
        outer = shape.cell_box
        assert outer[0] <= left < right <= outer[2]
        assert outer[1] <= top < bottom <= outer[3]


@pytest.mark.parametrize("kind, share", list(zip(SHAPES, (np.pi / 4, 1.0, 0.5), strict=True)))
def test_masks_have_the_area_of_their_shape(kind: str, share: float) -> None:
    shape = Shape(colour="red", kind=kind, column=1, row=2, left=0, top=1, width=6, height=5)
    assert shape.mask().sum() == pytest.approx(share * 6 * 5 * UNIT**2, rel=0.04)


def test_the_picture_shows_each_mask_in_its_colour_and_the_backdrop_elsewhere() -> None:
    for scene in scenes(20):
        picture = np.asarray(render(scene))
        assert picture.shape == (SIDE, SIDE, 3)
        inked = np.zeros((SIDE, SIDE), dtype=bool)
        for shape in scene.shapes:
            assert (picture[shape.mask()] == COLOURS[shape.colour]).all()
            inked |= shape.mask()
        bare = np.asarray(render(GroundingScene(())))
        assert (picture[~inked] == bare[~inked]).all()


def test_edges_are_where_they_are_after_the_processors_resize() -> None:
    shape = Shape(colour="blue", kind="rectangle", column=0, row=0, left=2, top=1, width=3, height=4)
    blue = np.abs(seen(GroundingScene((shape,))).astype(int) - COLOURS["blue"]).sum(axis=2) < 40
    ys, xs = np.nonzero(blue)
    assert np.abs(np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) - np.array(shape.box) / 2).max() <= 1


def test_corners_outline_the_mask_in_whole_numbers_as_the_model_sees_it() -> None:
    for shape in (shape for scene in scenes(100) for shape in scene.shapes):
        corners = np.array(shape.corners)
        assert not (corners % 2).any()
        assert [*corners.min(axis=0), *corners.max(axis=0)] == shape.box
        drawn = outlines.filled(corners, width=SIDE, height=SIDE)
        assert outlines.iou(drawn, outlines.as_rle(shape.mask())) > 0.9


def test_a_scene_has_one_to_three_shapes_of_one_colour_and_cell_each_in_the_order_of_colours() -> None:
    counts = set()
    for scene in scenes(100, pool="test"):
        colours = [shape.colour for shape in scene.shapes]
        assert colours == sorted(set(colours), key=list(COLOURS).index)
        assert len({(shape.column, shape.row) for shape in scene.shapes}) == len(colours)
        assert all(shape.column < GRID and shape.left + shape.width <= CELL for shape in scene.shapes)
        assert pool_of(scene.layout) == "test"
        counts.add(len(colours))
    assert counts == {1, 2, 3}
    assert {len(scene.shapes) for scene in scenes(10, counts=(4,))} == {4}
