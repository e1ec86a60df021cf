"""`python -m vlm_grpo.tasks.masks`, see `vlm_grpo.tasks.masks.command`."""

from vlm_grpo.tasks.masks.command import main

if __name__ == "__main__":
    main()
