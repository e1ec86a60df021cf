"""The task `aokvqa`: A-OKVQA's multiple choice, asked and read as `driving`, with one right letter."""

from vlm_grpo.tasks.driving.columns import AOKVQA
from vlm_grpo.tasks.driving.task import of_letters

TASK = of_letters(
    AOKVQA,
    published=(
        "published on A-OKVQA's validation, in %: F1, which the report calls accuracy, SFT 1 epoch 88.03, 10 epochs "
        "85.36, GRPO with accuracy and format 88.56, with IoU 88.30 (one run each of a 7B model); three seeds SFT "
        "86.78 ± .05, GRPO 88.12 ± .23"
    ),
)
