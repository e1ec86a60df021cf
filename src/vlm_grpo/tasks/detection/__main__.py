"""`python -m vlm_grpo.tasks.detection`, see `vlm_grpo.tasks.detection.command`."""

from vlm_grpo.tasks.detection.command import main

if __name__ == "__main__":
    main()
