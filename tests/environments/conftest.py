"""Models that call tools, and pictures that are worth a closer look."""

import re
import shutil
from itertools import product
from pathlib import Path

import pytest

from calling_model import save_tiny_digits, teach
from vlm_grpo import prompts
from vlm_grpo.environments.zoom import ENVIRONMENT, TOLD
from vlm_grpo.methods.grpo.conversation import content_of
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.tasks.asking import question

ANSWER = "<think> so </think> <answer> 9 </answer>"
CALL = "<think> look </think>\n<tool>\nname: zoom\nkeypoint: [{x}, {y}]\n</tool>"
PLANS = ([], [(120, 200)], [(290, 10), (7, 333)], [(5000, 3)], [(120, 200), (5000, 3), (7, 333)])
"""The keypoints called for, one conversation each; one lies outside."""


@pytest.fixture(scope="session")
def tiny_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_digits(tmp_path_factory.mktemp("zoom") / "digits")


@pytest.fixture(scope="session")
def calling_qwen(tmp_path_factory: pytest.TempPathFactory, tiny_qwen: Path, tiny_digits: Path) -> Path:
    """A tiny Qwen2.5-VL that calls `zoom` in texts."""
    checkpoint = tmp_path_factory.mktemp("models") / "calling_qwen"
    shutil.copytree(tiny_qwen, checkpoint)
    conversations = []
    for row, plan in product(dataset.load(tiny_digits, "train"), PLANS):
        picture = open_picture(tiny_digits, row.images[0])
        asked = question(ENVIRONMENT.asked(row, root=tiny_digits, protocol="text"), template="reason")
        turns = [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": asked}]}]
        for x, y in plan:
            call = CALL.format(x=x, y=y)
            reply = ENVIRONMENT.respond([call], [picture])
            turns += [{"role": "assistant", "content": call}, {"role": "user", "content": content_of(reply)}]
        conversations.append([*turns, {"role": "assistant", "content": ANSWER}])
    told = re.split(r"\{\w+\}", TOLD)
    teach(
        checkpoint, conversations, phrases=[*told, *CALL.split("{x}, {y}"), ANSWER, prompts.REASON.split("{asks}")[0]]
    )
    return checkpoint
