"""Draws without a look at the device: `torch.multinomial`'s tokens, and numbers that nothing can be drawn from."""

import pytest
import torch
from transformers import GenerationConfig, LogitsProcessorList, MaxLengthCriteria, StoppingCriteriaList

from tiny_grpo import DEVICE
from vlm_grpo.decoding.choosing import Choosing, default_generator

ROWS, WORDS, EVERY = 5, 3000, 3


def choosing():
    return Choosing(
        torch.zeros(ROWS, 2, dtype=torch.long, device=DEVICE),
        LogitsProcessorList(),
        StoppingCriteriaList([MaxLengthCriteria(12)]),
        GenerationConfig(do_sample=True),
        every=EVERY,
    )


def test_the_draws_of_multinomial():
    logits = [torch.randn(ROWS, WORDS, device=DEVICE) * 3 for _ in range(9)]
    torch.manual_seed(4)
    ours, drawing = [], choosing()
    for row in logits:
        ours.append(drawing.choose(row.clone()))
    after = default_generator(torch.device(DEVICE)).get_state()
    torch.manual_seed(4)
    stock = [torch.multinomial(torch.softmax(row, dim=-1), num_samples=1).squeeze(1) for row in logits]
    assert torch.equal(torch.stack(ours), torch.stack(stock))
    assert torch.equal(after, default_generator(torch.device(DEVICE)).get_state())


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_numbers_that_nothing_can_be_drawn_from_are_told_at_the_next_look(wrong):
    drawing = choosing()
    logits = torch.zeros(ROWS, WORDS, device=DEVICE)
    logits[2, 7] = wrong
    assert drawing.choose(logits) is not None
    drawing.choose(torch.zeros(ROWS, WORDS, device=DEVICE))
    with pytest.raises(RuntimeError, match="no token can be drawn"):
        drawing.choose(torch.zeros(ROWS, WORDS, device=DEVICE))
