"""What the embedded driver is taught: looking is right and names every box, a guess is not; words are few tokens."""

import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from vlm_grpo.adapters.checkpoint import shipped_folder
from vlm_grpo.embedded import driving_curriculum as lessons
from vlm_grpo.embedded import known_words
from vlm_grpo.embedded.driving_questions import TERSE, TERSE_SHARES, VIEW, as_row, draw_question, prompt_of
from vlm_grpo.embedded.pretrain import RECIPES
from vlm_grpo.embedded.scenes import pool_of
from vlm_grpo.tasks.driving.spelling import boxes_in
from vlm_grpo.tasks.registry import task_named

TASK = task_named("synthetic_driving")


def test_looking_is_what_sft_teaches_of_a_thorough_row() -> None:
    rng = random.Random(0)
    for _ in range(50):
        question = draw_question(rng, pool="train")
        row = as_row("r", question)
        taught = TASK.target(row, "explained", VIEW)
        assert TASK.outcome(taught, row, rule="strict", view=VIEW).right
        assert (TERSE in taught) == question.is_terse
        assert boxes_in(taught) or question.is_terse


def test_exercises_ask_with_the_prompt_of_the_data_and_guesses_are_seldom_right() -> None:
    for draw, (least, most) in {lessons.look: (1.0, 1.0), lessons.guess: (0.05, 0.3)}.items():
        rights = []
        for seed in range(200):
            question = draw_question(random.Random(seed), pool="train")
            row = as_row("r", question)
            exercise = draw(random.Random(seed))
            assert exercise.scene == question.scene
            assert exercise.question == prompt_of(row)
            rights.append(TASK.outcome(exercise.target, row, rule="strict", view=VIEW).right)
        assert least <= np.mean(rights) <= most


def test_looking_up_names_the_true_boxes() -> None:
    rng = random.Random(1)
    for exercise in (lessons.look_up(rng) for _ in range(60)):
        words = exercise.question.removeprefix("Where? ").split()
        boxes = {thing.name: [edge / 2 for edge in thing.box] for thing in exercise.scene.things}
        asked = (" ".join(words[:2]), " ".join(words[2:]))
        assert boxes_in(exercise.target) == [{"bbox_2d": boxes[name], "label": name} for name in asked]


def test_pretraining_meets_the_training_pool_only_and_mixtures_are_shares() -> None:
    rng = random.Random(3)
    for draw in lessons.LESSONS.exercises:
        assert {pool_of(draw(rng).scene.layout) for _ in range(40)} == {"train"}
    for progress in (0.0, 0.5, 1.0):
        for stage in lessons.LESSONS.stages:
            assert sum(stage.mixture(progress).values()) == pytest.approx(1)
    assert min(TERSE_SHARES.values()) < 0.5 < max(TERSE_SHARES.values())


def test_letters_and_the_terse_thought_are_single_tokens_and_boxes_few() -> None:
    tokenizer = RECIPES["qwen2_5_vl_driving"].built(0).tokenizer
    for text in (" red", " car", "\n(B)", " (C)", f" {TERSE}", ", so B.", "112"):
        assert len(tokenizer(text)["input_ids"]) == 1, text
    assert len(tokenizer(" [31,31,53,53 red car]:")["input_ids"]) == 11


def test_words_start_as_what_the_first_model_knows_them_by() -> None:
    built = RECIPES["qwen2_5_vl_driving"].built(0)
    folder = shipped_folder("qwen2_5_vl")
    known, shipped = AutoTokenizer.from_pretrained(folder), load_file(folder / "model.safetensors")
    weights = built.model.state_dict()
    for name in (known_words.EMBEDDING, known_words.OUTPUT):
        for word, its in ((" red", " red"), (" car", " square"), ("[", "[")):
            (new,), (old,) = built.tokenizer(word)["input_ids"], known(its)["input_ids"]
            assert torch.equal(weights[name][new], shipped[name][old].float())
        (new,), pieces = built.tokenizer(", so B.")["input_ids"], known(", so B.")["input_ids"]
        assert len(pieces) > 1
        assert torch.allclose(weights[name][new], shipped[name][pieces].float().mean(0))
