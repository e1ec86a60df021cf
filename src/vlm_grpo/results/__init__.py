"""The public name of the report's command; the work is done in `vlm_grpo.study`."""
