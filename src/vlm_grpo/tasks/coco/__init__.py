"""COCO's instances: their files, their reading, and average precision as COCO computes it."""
