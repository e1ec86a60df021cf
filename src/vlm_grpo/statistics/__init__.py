"""Intervals, paired tests and corrections for several tests, on numpy and scipy."""
