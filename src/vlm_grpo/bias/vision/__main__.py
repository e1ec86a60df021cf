"""`python -m vlm_grpo.bias.vision`: build a vision-biased data set, see `command`."""

from vlm_grpo.bias.vision.command import main

if __name__ == "__main__":
    main()
