"""`python -m vlm_grpo.tasks.driving`, see `vlm_grpo.tasks.driving.command`."""

from vlm_grpo.tasks.driving.command import main

if __name__ == "__main__":
    main()
