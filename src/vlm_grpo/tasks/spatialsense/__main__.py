"""`python -m vlm_grpo.tasks.spatialsense`, see `vlm_grpo.tasks.spatialsense.command`."""

from vlm_grpo.tasks.spatialsense.command import main

if __name__ == "__main__":
    main()
