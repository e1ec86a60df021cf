"""Environments: what answers the model within a completion; one file each, a registry by name."""
