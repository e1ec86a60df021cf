"""The public names of the training commands; the work is done in `vlm_grpo.methods`."""
