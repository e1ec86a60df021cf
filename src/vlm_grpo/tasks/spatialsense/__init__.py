"""SpatialSense: relations in photographs, gathered against what a model guesses without looking."""
