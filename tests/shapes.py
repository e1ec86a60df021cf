"""Masks of known shape: discs, ellipses, rotated squares, rings; and the bisection that exact rays are held to."""

import numpy as np


def ellipse(size, centre, half_axes, *, turn=0.0):
    """uint8 (height, width); a pixel counts by its middle."""
    width, height = size
    y, x = np.mgrid[:height, :width] + 0.5
    across, down = x - centre[0], y - centre[1]
    along = across * np.cos(turn) + down * np.sin(turn)
    aside = down * np.cos(turn) - across * np.sin(turn)
    return ((along / half_axes[0]) ** 2 + (aside / half_axes[1]) ** 2 <= 1).astype(np.uint8)


def disc(size, centre, radius):
    return ellipse(size, centre, (radius, radius))


def square(size, centre, half, *, turn=0.0):
    width, height = size
    y, x = np.mgrid[:height, :width] + 0.5
    across, down = x - centre[0], y - centre[1]
    along = np.abs(across * np.cos(turn) + down * np.sin(turn))
    aside = np.abs(down * np.cos(turn) - across * np.sin(turn))
    return (np.maximum(along, aside) <= half).astype(np.uint8)


def bisected(mask, centre, angles, halvings):
    """Radii by halving, each look at the pixel that the probe is cut off to; as VLM-R1's fork is described to do."""
    height, width = mask.shape
    radii = []
    for cos, sin in angles:
        low, high = 0.0, float(max(height, width))
        for _ in range(halvings):
            middle = (low + high) / 2
            x, y = int(centre[0] + middle * cos), int(centre[1] + middle * sin)
            inside = 0 <= x < width and 0 <= y < height and mask[y, x]
            low, high = (middle, high) if inside else (low, middle)
        radii.append(low)
    return np.array(radii)
