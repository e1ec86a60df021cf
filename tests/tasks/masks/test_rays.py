"""Exact rays: against one look after the other, against a bisection, at the picture's edges, several masks at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shapes import bisected, disc, ellipse, square
from vlm_grpo.tasks.masks.rays import ANGLES, DIRECTIONS, deepest_within, depth_map, first_exits, table

SIZE = (96, 80)
STARS = {
    "disc": disc(SIZE, (40, 40), 25),
    "ellipse": ellipse(SIZE, (45, 40), (35, 18), turn=0.5),
    "rotated square": square(SIZE, (50, 38), 22, turn=0.6),
    "off-centre": disc(SIZE, (80, 62), 9),
    "cut by the left edge": ellipse(SIZE, (4, 40), (20, 15)),
    "cut by a corner": disc(SIZE, (5, 6), 20),
    "cut by the lower right": disc(SIZE, (90, 75), 20),
}


def looked_up(mask, centre):
    """Radii by looking at each tabled pixel, coordinates between -1 and 0 cut off to 0."""
    height, width = mask.shape
    tabled = table(9)
    radii = []
    for ray in range(ANGLES):
        for step in range(512):
            x, y = centre[0] + tabled.dx[ray, step], centre[1] + tabled.dy[ray, step]
            x, y = (0 if x == -1 else x), (0 if y == -1 else y)
            if not (0 <= x < width and 0 <= y < height and mask[y, x]):
                radii.append(tabled.enter[ray, step])
                break
    return np.minimum(radii, max(height, width))


@given(mask=arrays.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 1)))
def test_leaps_miss_no_pixel(mask):
    mask[mask.shape[0] // 2, mask.shape[1] // 2] = 1
    depths = depth_map(mask)
    assert first_exits([depths])[0] == pytest.approx(looked_up(mask, depths.centre))


@pytest.mark.parametrize("name", STARS)
def test_radii_are_those_of_a_bisection_to_its_end(name):
    mask = STARS[name]
    depths = depth_map(mask)
    radii = first_exits([depths])[0]
    assert radii == pytest.approx(looked_up(mask, depths.centre))
    assert radii == pytest.approx(bisected(mask, depths.centre, DIRECTIONS, 45), abs=1e-6)
    coarse = bisected(mask, depths.centre, DIRECTIONS, 11)
    assert (coarse <= radii + 1e-9).all()
    assert (radii - coarse).max() <= max(SIZE) / 2**11 + 1e-9


def test_many_masks_together_are_as_each_alone():
    maps = [depth_map(mask) for mask in STARS.values()] * 60
    together = first_exits(maps)
    assert np.array_equal(
        together[: len(STARS)], np.concatenate([first_exits([entry]) for entry in maps[: len(STARS)]])
    )
    assert np.array_equal(together[-len(STARS) :], together[: len(STARS)])


def test_the_centre_is_the_deepest_pixel_and_the_edge_of_the_picture_is_not_outside():
    cut = STARS["cut by the left edge"]
    assert depth_map(cut).centre[0] == 0
    assert deepest_within(cut)[0] > 5
    assert deepest_within(STARS["disc"]) == depth_map(STARS["disc"]).centre
    two_lobes = disc(SIZE, (25, 40), 15) | disc(SIZE, (70, 40), 15)
    assert depth_map(two_lobes).centre[0] < 30, "the first of equally deep ones in reading order"
    assert depth_map(np.ones((10, 20), dtype=np.uint8)).centre == (10, 5)


def test_a_mask_without_a_pixel_has_no_centre():
    with pytest.raises(ValueError, match="empty mask"):
        depth_map(np.zeros((5, 5), dtype=np.uint8))
