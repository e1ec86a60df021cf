"""`python -m vlm_grpo.bias.probe`: probe a data set, see `command`."""

from vlm_grpo.bias.probe.command import main

if __name__ == "__main__":
    main()
