"""Handwritten digits scattered over a picture: list them in ascending order, or add them up."""
