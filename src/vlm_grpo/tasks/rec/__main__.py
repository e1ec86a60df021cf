"""`python -m vlm_grpo.tasks.rec`, see `vlm_grpo.tasks.rec.command`."""

from vlm_grpo.tasks.rec.command import main

if __name__ == "__main__":
    main()
