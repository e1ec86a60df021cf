"""A relation in the caption that hints at the label."""
