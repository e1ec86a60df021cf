"""Planting a bias into a data set, and measuring what a model learnt from it."""
