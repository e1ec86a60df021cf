"""Find every object of the kinds that are asked for: a list of labelled boxes."""
