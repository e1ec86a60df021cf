"""Scenes are what their captions say, drawn where they claim to be, and never shared between pools."""

import random
from collections import Counter

import numpy as np
import pytest

from vlm_grpo.embedded.scenes import (
    COLOURS,
    GRID,
    POOLS,
    RELATIONS,
    SIZE,
    Scene,
    Thing,
    holds,
    pair_scene,
    pool_of,
    random_scene,
    render,
    render_array,
)


def centre_in_picture(picture: np.ndarray, colour: str) -> tuple[float, float]:
    """Mean x and y of the pixels of exactly that colour: geometry read off the picture, not off the scene."""
    rows, columns = np.nonzero((picture == COLOURS[colour]).all(axis=-1))
    return float(columns.mean()), float(rows.mean())


def true_in_picture(picture: np.ndarray, relation: str, first: str, second: str) -> bool:
    (x1, y1), (x2, y2) = centre_in_picture(picture, first), centre_in_picture(picture, second)
    cell = SIZE / GRID / 2
    return {
        "left of": x1 < x2 - cell,
        "right of": x1 > x2 + cell,
        "above": y1 < y2 - cell,
        "below": y1 > y2 + cell,
    }[relation]


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("label", [True, False])
def test_label_follows_from_the_pixels(relation: str, label: bool) -> None:
    rng = random.Random(f"{relation} {label}")
    for _ in range(50):
        scene = pair_scene(rng, relation=relation, label=label, pool="train")
        first, second = (thing.colour for thing in scene.things)
        assert true_in_picture(render_array(scene), relation, first, second) is label


def test_every_thing_stays_inside_its_cell() -> None:
    rng = random.Random(0)
    cell = SIZE // GRID
    for _ in range(200):
        scene = random_scene(rng, 3)
        picture = render_array(scene)
        for thing in scene.things:
            rows, columns = np.nonzero((picture == COLOURS[thing.colour]).all(axis=-1))
            assert set(columns // cell + 1) == {thing.column}
            assert set(rows // cell + 1) == {thing.row}


def test_layout_ignores_order_and_shift_only() -> None:
    red, blue = Thing("red", "circle", 1, 2), Thing("blue", "square", 3, 4)
    layout = Scene((red, blue)).layout
    assert Scene((blue, Thing("red", "circle", 1, 2, dx=2, dy=-1))).layout == layout
    assert Scene((Thing("red", "circle", 1, 3), blue)).layout != layout
    assert Scene((Thing("red", "square", 1, 2), blue)).layout != layout


def test_pools_are_fixed_and_pair_scenes_keep_to_them() -> None:
    rng = random.Random(1)
    shares = Counter(pool_of(random_scene(rng, 2).layout) for _ in range(4000))
    assert set(shares) == set(POOLS)
    assert all(0.09 < shares[pool] / 4000 < 0.16 for pool in ("validation", "test"))
    for pool in POOLS:
        assert pool_of(pair_scene(rng, relation="above", label=True, pool=pool).layout) == pool


def test_unknown_relation_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown relation 'near'"):
        holds("near", Thing("red", "circle", 1, 1), Thing("blue", "circle", 2, 2))


def test_picture_is_small_rgb() -> None:
    picture = render(random_scene(random.Random(2), 2))
    assert picture.size == (SIZE, SIZE)
    assert picture.mode == "RGB"
