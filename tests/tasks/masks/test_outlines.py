"""Polygons as masks: clipping as a whole, IoU, hostile coordinates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.tasks.masks import outlines

WIDTH, HEIGHT = 40, 30
NEAR = st.tuples(st.floats(-30, 70), st.floats(-30, 60))


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


def filled(polygon):
    return outlines.filled(polygon, width=WIDTH, height=HEIGHT)


@given(
    sides=st.tuples(*(st.integers(-50, 90) for _ in range(4))),
)
def test_a_box_is_its_pixels_wherever_it_lies(sides):
    left, right = sorted(sides[:2])
    top, bottom = sorted(sides[2:])
    expected = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    expected[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 1
    assert np.array_equal(outlines.pixels(filled(box(left, top, right, bottom))), expected)


@given(points=st.lists(NEAR, min_size=3, max_size=3))
def test_clipping_is_the_intersection_with_the_picture(points):
    """A large canvas, filled without clipping and then cut out, shows the same."""
    triangle = np.array(points)
    large = outlines.pixels(outlines.filled(triangle + 100, width=300, height=300))[
        100 : 100 + HEIGHT, 100 : 100 + WIDTH
    ]
    small = outlines.pixels(filled(triangle))
    assert (large != small).sum() <= 0.05 * large.sum() + 20


def test_clipping_does_not_bend_edges():
    """The original moved vertices onto the frame: this triangle would cover half of the picture more."""
    triangle = np.array([[20.0, 15.0], [2000.0, -1965.0], [2000.0, 1995.0]])
    expected = 2 * sum(range(1, 16)) + 30 * 5
    assert outlines.area(filled(triangle)) == pytest.approx(expected, abs=30)


@given(points=st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=3, max_size=12))
def test_no_coordinate_costs_memory_or_leaves_the_picture(points):
    assert 0 <= outlines.area(filled(points)) <= WIDTH * HEIGHT


def test_iou_of_the_same_of_others_and_of_nothing():
    a, b = filled(box(0, 0, 20, 20)), filled(box(10, 0, 30, 20))
    assert outlines.iou(a, a) == 1.0
    assert outlines.iou(a, b) == pytest.approx(200 / 600)
    assert outlines.iou(a, filled(box(25, 0, 30, 20))) == 0.0
    nothing = outlines.empty(width=WIDTH, height=HEIGHT)
    assert outlines.iou(nothing, nothing) == outlines.iou(a, nothing) == 0.0


def test_a_mask_shown_larger_is_the_same_shape():
    larger = outlines.resized(filled(box(10, 10, 30, 20)), width=80, height=90)
    assert outlines.area(larger) == 40 * 30
    assert larger["size"] == [90, 80]
