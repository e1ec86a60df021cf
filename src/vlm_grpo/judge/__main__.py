"""`python -m vlm_grpo.judge`: what `alignment_judge/judge.py` does, where there is no checkout too."""

from vlm_grpo.start import start

if __name__ == "__main__":
    start("vlm_grpo.judge.command")
