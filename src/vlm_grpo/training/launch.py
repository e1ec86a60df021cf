"""`python -m vlm_grpo.training.launch`: several processes, see `vlm_grpo.methods.launch`."""

from vlm_grpo.methods.launch import main

if __name__ == "__main__":
    main()
