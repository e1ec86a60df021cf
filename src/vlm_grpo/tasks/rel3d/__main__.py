"""`python -m vlm_grpo.tasks.rel3d`, see `vlm_grpo.tasks.rel3d.command`."""

from vlm_grpo.tasks.rel3d.command import main

if __name__ == "__main__":
    main()
