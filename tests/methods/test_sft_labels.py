"""SFT learns the answer and the end of its turn: nothing of the prompt, no picture, no empty assistant turn."""

from pathlib import Path

import pytest
import torch
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from tiny_data import tiny_rows
from vlm_grpo import prompts
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.methods import examples
from vlm_grpo.rows.images import open_image
from vlm_grpo.tasks.registry import task_of

TARGET = {"answer": "bare", "yes_no": "yes_no"}


@pytest.fixture(params=["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def base(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


@pytest.mark.parametrize("prompt", ["answer", "yes_no"])
def test_only_the_answer_carries_loss(base, tiny_data, prompt):
    checkpoint = open_checkpoint(str(base))
    processor = checkpoint.load_processor()
    asked = tiny_rows(6)
    dataset = examples.sft_dataset(asked, root=tiny_data, prompt=prompt, target=TARGET[prompt])
    collate = DataCollatorForVisionLanguageModeling(processor=processor, max_length=None, completion_only_loss=True)
    batch = collate([dict(dataset[i]) for i in range(len(asked))])
    tokenizer = processor.tokenizer
    for row, ids, labels, mask in zip(asked, batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True):
        learnt = labels != -100
        text = tokenizer.decode(ids[learnt])
        answer = task_of(row).target(row, TARGET[prompt])
        assert text.replace(tokenizer.eos_token, "").strip() == answer
        assert text.count(tokenizer.eos_token) == 1
        assert torch.equal(ids[learnt], labels[learnt])

        first = int(learnt.nonzero()[0])
        real = int(mask.sum())
        assert learnt[first:real].all(), "the learnt tokens are one run at the end"
        evaluated = processor.apply_chat_template(
            prompts.messages(prompt, row.problem, images=1), add_generation_prompt=True, tokenize=False
        )
        picture = open_image(tiny_data / row.images[0])
        encoded = checkpoint.adapter.encode(processor, [evaluated], [[picture]])["input_ids"][0]
        assert torch.equal(ids[:first], encoded), "the unlearnt tokens are exactly the prompt that evaluation gives"
        placeholders = torch.tensor(checkpoint.adapter.placeholder_ids(tokenizer))
        assert torch.isin(ids, placeholders).any()
        assert not torch.isin(ids[learnt], placeholders).any()
