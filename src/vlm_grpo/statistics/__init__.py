"""Intervals, paired tests and corrections for several tests, on scipy and statsmodels."""
