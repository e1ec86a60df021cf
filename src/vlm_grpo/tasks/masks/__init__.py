"""Outline one object of a picture: its mask as a few numbers that a model can write."""
