"""Codecs: the identities of `cosine8`, its mirror symmetry, what the better ones keep, JSON and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import chebyshev

from coco_data import REAL, needs_coco
from shapes import bisected, disc, ellipse, square
from vlm_grpo import prompts
from vlm_grpo.tasks.coco.instances import mask, read
from vlm_grpo.tasks.masks import outlines
from vlm_grpo.tasks.masks.codecs import CODECS, cosine_transform
from vlm_grpo.tasks.masks.rays import ANGLES, DIRECTIONS, depth_map, first_exits, table
from vlm_grpo.tasks.masks.task import KINDS
from vlm_grpo.tasks.view import View

SIZE = (160, 120)
COSINE = CODECS["cosine8"]
RADII = st.lists(st.floats(0, 300), min_size=ANGLES, max_size=ANGLES)


@given(radii=RADII)
def test_the_transform_is_the_least_squares_fit_of_chebyshevs_polynomials(radii):
    fitted = chebyshev.chebfit(DIRECTIONS[:, 0], np.array(radii), 7)
    assert cosine_transform(np.array(radii)) == pytest.approx(fitted, abs=1e-9)


@given(radii=RADII)
def test_values_at_three_angles(radii):
    c = cosine_transform(np.array(radii))
    points = COSINE.decode({"centre": [500, 400], "coeffs": c.tolist()})
    profile = chebyshev.chebval(DIRECTIONS[:, 0], c)
    assert profile[0] == pytest.approx(c.sum(), abs=1e-9)
    assert profile[ANGLES // 2] == pytest.approx((c * (-1.0) ** np.arange(8)).sum(), abs=1e-9)
    assert profile[ANGLES // 4] == pytest.approx(c[0] - c[2] + c[4] - c[6], abs=1e-9)
    assert np.hypot(*(points - [500, 400]).T) == pytest.approx(np.maximum(profile, 0), abs=1e-9)


SHAPES = {
    "disc": disc(SIZE, (60, 50), 30),
    "ellipse": ellipse(SIZE, (80, 60), (60, 25)),
    "square": square(SIZE, (100, 60), 30),
    "turned ellipse": ellipse(SIZE, (80, 60), (60, 25), turn=0.4),
    "turned square": square(SIZE, (100, 60), 30, turn=0.3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_coefficients_are_those_of_the_original_within_a_thousandth(name):
    """Where each ray leaves the pixels once; a slanting edge has steps, and a ray along it may leave twice."""
    shape = SHAPES[name]
    depths = depth_map(shape)
    radii, once = first_exits([depths])[0], leave_once(shape, depths.centre)
    to_its_end = bisected(shape, depths.centre, DIRECTIONS, 40)
    assert radii[once] == pytest.approx(to_its_end[once], abs=1e-3)
    assert once.all() or name.startswith("turned")
    assert once.sum() >= 66
    if once.all():
        fitted = chebyshev.chebfit(DIRECTIONS[:, 0], to_its_end, 7)
        assert COSINE.encode(shape)["coeffs"] == pytest.approx(fitted.tolist(), abs=1e-3)
        eleven = chebyshev.chebfit(DIRECTIONS[:, 0], bisected(shape, depths.centre, DIRECTIONS, 11), 7)
        assert COSINE.encode(shape)["coeffs"] == pytest.approx(eleven.tolist(), abs=2 * max(SIZE) / 2**11)


def leave_once(mask, centre):
    """Which rays are inside up to one place and outside from there on."""
    tabled = table(8)
    xs, ys = (tabled.dx + centre[0]).clip(0, SIZE[0] - 1), (tabled.dy + centre[1]).clip(0, SIZE[1] - 1)
    return (np.diff(mask[ys, xs].astype(int), axis=1) > 0).sum(axis=1) == 0


def test_a_disc_is_its_radius():
    value = COSINE.encode(disc(SIZE, (60.5, 50.5), 30))
    assert value["centre"] == [60.0, 50.0]
    assert value["coeffs"][0] == pytest.approx(30, abs=0.5)
    assert np.abs(value["coeffs"][1:]).max() < 1


@given(tail=st.lists(st.floats(-4, 4), min_size=7, max_size=7))
def test_the_area_of_the_curve(tail):
    c = np.array([60.0, *tail])
    polygon = COSINE.decode({"centre": [200, 200], "coeffs": c.tolist()})
    area = outlines.area(outlines.filled(polygon, width=400, height=400))
    assert area == pytest.approx(np.pi * c[0] ** 2 + np.pi / 2 * (c[1:] ** 2).sum(), rel=0.02)


def test_cosine8_is_symmetric_about_the_centres_height_and_fourier8_is_not():
    heart = ellipse(SIZE, (80, 45), (40, 18)) | ellipse(SIZE, (80, 60), (18, 50))
    polygon = COSINE.decode(COSINE.encode(heart))
    middle = COSINE.encode(heart)["centre"][1]
    assert polygon[1:36, 1] - middle == pytest.approx(middle - polygon[:36:-1, 1], abs=1e-9)
    rle = outlines.as_rle(heart)
    assert COSINE.round_trip(rle) < 0.8 < CODECS["fourier8"].round_trip(rle) < CODECS["polygon"].round_trip(rle)


@needs_coco
def test_what_the_codecs_keep_of_cocos_masks():
    objects = [entry for entry in read(REAL / "instances_val2014_100.json").instances if not entry.is_crowd]
    masks = [rle for rle in map(mask, objects[::20]) if outlines.area(rle) >= 256]
    kept = {name: np.mean([codec.round_trip(rle) for rle in masks]) for name, codec in CODECS.items()}
    assert kept["cosine8"] == pytest.approx(0.64, abs=0.08)
    assert kept["fourier8"] == pytest.approx(0.82, abs=0.06)
    assert kept["polygon"] > 0.88


def test_of_several_parts_the_one_with_the_centre_is_drawn():
    large, small = disc(SIZE, (40, 60), 25), disc(SIZE, (120, 60), 15)
    for name in ("cosine8", "polygon"):
        polygon = CODECS[name].decode(CODECS[name].encode(large | small))
        drawn = outlines.filled(polygon, width=160, height=120)
        assert outlines.iou(drawn, outlines.as_rle(large)) > 0.9
        assert outlines.overlap(drawn, outlines.as_rle(small))[0] == 0


def test_a_single_pixel_and_a_full_picture_can_be_written():
    for shape in (np.eye(1, 40, 7, dtype=np.uint8), np.ones((30, 40), dtype=np.uint8)):
        for codec in CODECS.values():
            value = codec.encode(shape)
            assert codec.parse(json.dumps(value)) == value


@pytest.mark.parametrize("name", CODECS)
def test_json_there_and_back_at_the_rounding_stated(name):
    codec = CODECS[name]
    value = codec.encode(ellipse(SIZE, (80, 60), (50, 30), turn=1.0))
    text = json.dumps(value, separators=(",", ":"))
    assert codec.parse(text) == value == json.loads(text)
    decimals = {len(number.rpartition(".")[2]) for number in text.replace("]", ",").split(",") if "." in number}
    assert max(decimals, default=0) <= {"cosine8": 4, "fourier8": 1, "polygon": 0}[name]


@pytest.mark.parametrize("name", CODECS)
def test_the_prompt_shows_json_that_is_an_answer(name):
    """The original's lacked its outer braces."""
    view = View(frame="thousandths", sizes=((640, 480),), shown=((644, 476),))
    shown = prompts.render("reason", "Segment the dog.", asks=KINDS[name].asks_in(view))
    assert "in thousandths of the image's width and height" in shown
    start = shown.index("[[" if name == "polygon" else "{")
    example, _ = json.JSONDecoder().raw_decode(shown[start:])
    assert CODECS[name].read(example) == example
