"""Former names of the fast path's parts, see `vlm_grpo.methods.fast`."""
