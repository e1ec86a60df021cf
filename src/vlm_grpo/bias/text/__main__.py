"""`python -m vlm_grpo.bias.text`: build a text-biased data set, see `command`."""

from vlm_grpo.bias.text.command import main

if __name__ == "__main__":
    main()
