"""`python -m vlm_grpo.training.status`: where a run stands, see `vlm_grpo.methods.status`."""

from vlm_grpo.methods.status import main

if __name__ == "__main__":
    main()
