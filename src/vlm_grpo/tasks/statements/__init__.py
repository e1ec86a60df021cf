"""Statements about two things in a picture, true or false: what Rel3D and SpatialSense have in common."""
