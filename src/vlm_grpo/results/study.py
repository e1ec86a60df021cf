"""`python -m vlm_grpo.results.study`: the report of a study, see `vlm_grpo.study.report`."""

from vlm_grpo.study.report import main

if __name__ == "__main__":
    main()
