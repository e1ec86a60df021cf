"""Rewards: one file each, a registry by name."""
