"""`python -m vlm_grpo.training.soft_prompt`: a soft prompt, see `vlm_grpo.methods.soft_prompt.command`."""

from vlm_grpo.methods.soft_prompt.command import main

if __name__ == "__main__":
    main()
