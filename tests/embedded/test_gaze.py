"""Teaching where to look: places are those of the tokens, and following the loss turns the heads there."""

import math
import random

import pytest
import torch

from vlm_grpo.embedded import build_qwen
from vlm_grpo.embedded import grounding_curriculum as lessons
from vlm_grpo.embedded.gaze import HEADS, gaze_loss, looks
from vlm_grpo.embedded.lessons import Stage
from vlm_grpo.embedded.scenes import GRID
from vlm_grpo.embedded.teach import teach


@pytest.fixture(scope="module")
def built():
    return build_qwen.build(lessons.LESSONS, seed=0)


def test_the_tokens_of_a_sentence_look_at_the_image_token_of_its_shape(built):
    rng = random.Random(0)
    exercises = [lessons.locate(rng) for _ in range(6)]
    batch = built.collator(exercises)
    places = looks(built.collator, exercises, batch)
    for row, exercise in enumerate(exercises):
        image = (batch["input_ids"][row] == built.collator.image_token_id).nonzero()[:, 0]
        for shape in exercise.scene.shapes:
            cell = image[shape.row * GRID + shape.column]
            tokens = places.tokens[(places.rows == row) & (places.at == cell)]
            said = built.tokenizer.decode(batch["input_ids"][row][tokens])
            assert said in ("", lessons.thought_on((shape,)).removeprefix("The"))
            assert bool(said) == (f'"{shape.name}"' in exercise.question)


def test_the_loss_is_least_where_all_attention_lies_on_the_shape(built):
    exercises = [lessons.locate(random.Random(1))]
    batch = built.collator(exercises)
    places = looks(built.collator, exercises, batch)
    length = batch["input_ids"].shape[1]
    even = torch.full((1, 4, length, length), 1 / length)
    there = even.clone()
    for _, head in HEADS:
        there[places.rows, head, places.tokens, places.at] = 1.0
    assert gaze_loss((there,) * 4, places) < 1e-5
    assert gaze_loss((even,) * 4, places).item() == pytest.approx(math.log(length), abs=1e-2)


def test_teaching_turns_the_heads_and_leaves_the_tower_as_it_is(built):
    probes = [lessons.locate(random.Random(seed)) for seed in range(8)]
    batch = built.collator(probes)

    def gazed():
        built.model.set_attn_implementation("eager")
        with torch.no_grad():
            attentions = built.model(**batch, output_attentions=True).attentions
        return gaze_loss(attentions, looks(built.collator, probes, batch)).item()

    tower = [weight.clone() for weight in built.model.model.visual.parameters()]
    before = gazed()
    stage = Stage(
        name="look", mixture=lambda _: {lessons.locate: 1.0}, steps=6, batch_size=8, peak=2e-3, gaze=1.0, sees=False
    )
    teach(built.model, built.collator, [stage], probe=lessons.locate, seed=0)
    assert gazed() < before - 0.1
    assert all(map(torch.equal, tower, built.model.model.visual.parameters()))
