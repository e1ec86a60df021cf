"""`python -m vlm_grpo.datasets.vsr`: build the VSR data set, see `vlm_grpo.tasks.vsr.command`."""

from vlm_grpo.tasks.vsr.command import main

if __name__ == "__main__":
    main()
