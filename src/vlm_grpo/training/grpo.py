"""`python -m vlm_grpo.training.grpo`: GRPO with LoRA, see `vlm_grpo.methods.grpo.command`."""

from vlm_grpo.methods.grpo.command import main

if __name__ == "__main__":
    main()
