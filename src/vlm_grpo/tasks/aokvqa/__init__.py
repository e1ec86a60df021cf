"""A-OKVQA: questions about COCO's pictures that take knowledge from outside, as options or in words."""
