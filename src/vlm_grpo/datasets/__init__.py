"""Data sets: each one a source on disk or on the hub turned into rows of one schema (`records.Row`)."""
