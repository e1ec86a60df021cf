"""`python -m vlm_grpo.alignment`: what `alignment_judge/statistics.py` does, where there is no checkout too.

The study's own tables need the folder `results/paper` of a checkout (`--paper`); tables of your verdicts do not.
"""

from vlm_grpo.start import start

if __name__ == "__main__":
    start("vlm_grpo.paper.tables_command")
