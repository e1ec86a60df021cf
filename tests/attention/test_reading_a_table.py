"""On the embedded decoder attention lands on the pair being read: the right one of sixteen tiles, letter by letter."""

import pytest
import torch
from transformers import GenerationConfig

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.attention.look import look, with_completion
from vlm_grpo.embedded.cipher_scenes import GRID, render
from vlm_grpo.embedded.cryptogram_curriculum import REASONING_START
from vlm_grpo.embedded.tiny_cryptogram import as_row, draw_split
from vlm_grpo.prompts import render as worded
from vlm_grpo.tasks.cryptogram.questions import ASKS

LAYER, ROWS = 0, 12
CHANCE = 1 / GRID**2


@pytest.fixture(scope="module")
def looks():
    """(scene, pieces of the completion, look) of each row that the model decodes right once it is made to reason."""
    checkpoint = open_checkpoint("embedded:qwen2_5_vl_cryptogram")
    processor, model = checkpoint.load_processor(), checkpoint.load_model(dtype=torch.float32).eval()
    tokenizer = processor.tokenizer
    start = tokenizer(f"<think> {REASONING_START}", add_special_tokens=False)["input_ids"]
    greedy = GenerationConfig(max_new_tokens=48, eos_token_id=tokenizer.eos_token_id, pad_token_id=0)
    right = []
    for item in draw_split("test", ROWS, seed=0):
        row = as_row(item)
        asked = worded("reason", row.problem, asks=ASKS["sequence"])
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": asked}]}
        text = processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
        picture = render(item.scene)
        encoded = checkpoint.adapter.encode(processor, [text], [[picture]])
        with torch.inference_mode():
            begun = with_completion(encoded, start, device=model.device)
            said = model.generate(**begun, generation_config=greedy)[0, encoded["input_ids"].shape[1] :].tolist()
        if f"<answer> {row.solution} </answer>" in tokenizer.decode(said):
            seen = look(model, checkpoint.adapter, processor, encoded, said, sizes=[picture.size], layer=LAYER)
            right.append((item.scene, [tokenizer.decode([token]) for token in said], seen))
    return right


def test_most_rows_are_decoded(looks):
    assert len(looks) >= ROWS - 2


def test_the_peak_lies_in_the_pair_that_is_read(looks):
    """A pair is written code letter first; the plain one behind it, without a space before it, is what is looked up."""
    hits = letters = 0
    for scene, pieces, seen in looks:
        for at in range(2, pieces.index(" <chars>")):
            code = pieces[at - 1].strip()
            if len(pieces[at]) == len(code) == 1 and code in scene.codes:
                letters += 1
                hits += seen.cells.index(seen.peak(at)) == scene.cells[scene.codes.index(code)]
    assert letters >= 3 * len(looks)
    assert hits / letters > 0.9 > 10 * CHANCE
