"""A cue in the picture that says the answer."""
