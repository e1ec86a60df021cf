"""`python -m vlm_grpo.tasks.aokvqa`, see `vlm_grpo.tasks.aokvqa.command`."""

from vlm_grpo.tasks.aokvqa.command import main

if __name__ == "__main__":
    main()
