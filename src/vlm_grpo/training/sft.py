"""`python -m vlm_grpo.training.sft`: SFT with LoRA, see `vlm_grpo.methods.sft.command`."""

from vlm_grpo.methods.sft.command import main

if __name__ == "__main__":
    main()
