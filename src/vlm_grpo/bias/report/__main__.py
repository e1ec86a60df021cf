"""`python -m vlm_grpo.bias.report`: report what arms learnt of a shortcut, see `command`."""

from vlm_grpo.bias.report.command import main

if __name__ == "__main__":
    main()
