"""Generate answers, read them, score them, compare arms on the same rows."""
