"""Rel3D: rendered scenes in pairs that differ in one relation only."""
