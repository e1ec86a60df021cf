"""Model families: one file each, chosen by a checkpoint's `model_type`."""
