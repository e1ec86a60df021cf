"""The report of a study as a folder of static pages; `python -m vlm_grpo.study.page` writes it."""
