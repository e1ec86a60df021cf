"""Models that call tools, and pictures that are worth a closer look."""

import json
import re
import shutil
from itertools import product
from pathlib import Path

import pytest
import torch
from trl.chat_template_utils import qwen3_vl_chat_template

from calling_model import save_tiny_digits, teach
from tiny_models import qwen3_vl
from vlm_grpo import prompts
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.environments.conversation import content_of
from vlm_grpo.environments.text_calls import ToolError
from vlm_grpo.environments.zoom import ENVIRONMENT, TOLD, TOLD_NATIVE, ZoomTools
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.tasks.asking import question
from vlm_grpo.tasks.cryptogram import build

ANSWER = "<think> so </think> <answer> 9 </answer>"
CALL = "<think> look </think>\n<tool>\nname: zoom\nkeypoint: [{x}, {y}]\n</tool>"
PLANS = ([], [(120, 200)], [(290, 10), (7, 333)], [(5000, 3)], [(120, 200), (5000, 3), (7, 333)])
"""The keypoints called for, one conversation each; one lies outside."""
COMMON = (
    *sorted({f"{x}, {y}" for plan in PLANS for x, y in plan}),
    *(ANSWER, prompts.REASON.split("{asks}")[0], "keypoint [", "] lies outside of the image of ", "The image from ["),
)
"""What both protocols have as one token each."""


@pytest.fixture(scope="session")
def tiny_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_digits(tmp_path_factory.mktemp("zoom") / "digits")


@pytest.fixture(scope="session")
def tiny_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cryptograms whose letters are four pixels high."""
    folder = tmp_path_factory.mktemp("zoom") / "tables"
    sizes = ["--side", "600", "--glyph", "4", "--train", "4", "--validation", "2", "--test", "2"]
    build.main(["--out", str(folder), "--kind", "word", *sizes])
    return folder


@pytest.fixture(scope="session")
def calling_qwen(tmp_path_factory: pytest.TempPathFactory, tiny_qwen: Path, tiny_digits: Path) -> Path:
    """A tiny Qwen2.5-VL that calls `zoom` in texts."""
    checkpoint = tmp_path_factory.mktemp("models") / "calling_qwen"
    return calls_in_texts(checkpoint, tiny_qwen, data=tiny_digits)


@pytest.fixture(scope="session")
def calling_on_tables(tmp_path_factory: pytest.TempPathFactory, tiny_qwen: Path, tiny_tables: Path) -> Path:
    """The same for cryptograms."""
    checkpoint = tmp_path_factory.mktemp("models") / "calling_on_tables"
    return calls_in_texts(checkpoint, tiny_qwen, data=tiny_tables)


def calls_in_texts(checkpoint: Path, base: Path, *, data: Path) -> Path:
    """`base`, taught to call `zoom` in texts on the rows of `data`, in the folder `checkpoint`."""
    shutil.copytree(base, checkpoint)
    conversations = []
    for row, plan in product(dataset.load(data, "train"), PLANS):
        picture = open_picture(data, row.images[0])
        asked = question(ENVIRONMENT.asked(row, root=data, protocol="text"), template="reason")
        turns = [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": asked}]}]
        for x, y in plan:
            call = CALL.format(x=x, y=y)
            reply = ENVIRONMENT.respond([call], [picture])
            turns += [{"role": "assistant", "content": call}, {"role": "user", "content": content_of(reply)}]
        conversations.append([*turns, {"role": "assistant", "content": ANSWER}])
    told = re.split(r"\{\w+\}", TOLD)
    teach(checkpoint, conversations, phrases=[*told, *CALL.split("{x}, {y}"), *COMMON])
    return checkpoint


@pytest.fixture(scope="session")
def calling_qwen3(tmp_path_factory: pytest.TempPathFactory, tiny_qwen: Path, tiny_digits: Path) -> Path:
    """A tiny Qwen3-VL with the family's chat template that calls `zoom` by it."""
    checkpoint = tmp_path_factory.mktemp("models") / "calling_qwen3"
    shutil.copytree(tiny_qwen, checkpoint)
    torch.manual_seed(0)
    model = qwen3_vl(json.loads((checkpoint / "config.json").read_text()))
    (checkpoint / "generation_config.json").unlink()
    model.save_pretrained(checkpoint)
    (checkpoint / "chat_template.jinja").write_text(qwen3_vl_chat_template)
    conversations, tools = [], ZoomTools()
    for row, plan in product(dataset.load(tiny_digits, "train"), PLANS):
        picture = open_picture(tiny_digits, row.images[0])
        tools.reset(images=[picture])
        asked = question(ENVIRONMENT.asked(row, root=tiny_digits, protocol="native"), template="reason")
        turns = [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": asked}]}]
        for x, y in plan:
            try:
                content = tools.zoom([x, y])
            except ToolError as error:
                content = str({"error": str(error)})
            call = {"type": "function", "function": {"name": "zoom", "arguments": {"keypoint": [x, y]}}}
            turns.append({"role": "assistant", "content": "<think> look </think>", "tool_calls": [call]})
            turns.append({"role": "tool", "name": "zoom", "content": content})
        conversations.append([*turns, {"role": "assistant", "content": ANSWER}])
    processor = open_checkpoint(str(checkpoint)).load_processor()
    asked = [{"role": "user", "content": "?"}]
    described = processor.apply_chat_template(asked, tools=[tools.zoom], tokenize=False)
    phrases = [re.search(r"# Tools.*</tool_call>", described, flags=re.S)[0], *re.split(r"\{\w+\}", TOLD_NATIVE)]
    phrases += ['<think> look </think>\n<tool_call>\n{"name": "zoom", "arguments": {"keypoint": [', "]}}\n</tool_call>"]
    teach(checkpoint, conversations, phrases=[*phrases, *COMMON], tools=[tools.zoom])
    return checkpoint
