"""The public names of the commands that build data sets; the work is done in `vlm_grpo.tasks`."""
