"""The quick path of pretraining gives the very inputs that the shipped processors give."""

import random
from pathlib import Path

import pytest
import torch
from PIL import Image

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.embedded import cipher_scenes, driving_scenes, grounding_scenes
from vlm_grpo.embedded.batches import IGNORED
from vlm_grpo.embedded.cipher_scenes import CipherScene
from vlm_grpo.embedded.digit_scenes import DigitScene
from vlm_grpo.embedded.driving_scenes import DrivingScene
from vlm_grpo.embedded.family import FamilyBuild
from vlm_grpo.embedded.grounding_scenes import GroundingScene
from vlm_grpo.embedded.lessons import Exercise
from vlm_grpo.embedded.pretrain import RECIPES
from vlm_grpo.embedded.scenes import Scene, render


@pytest.fixture(scope="module", params=RECIPES)
def built(request: pytest.FixtureRequest) -> FamilyBuild:
    return RECIPES[request.param].built(0)


def exercises(built: FamilyBuild) -> list[Exercise]:
    rng = random.Random(11)
    return [kind(rng) for kind in RECIPES[built.family].lessons.exercises]


def picture(scene: Scene | DigitScene | CipherScene | GroundingScene | DrivingScene) -> Image.Image:
    """As in the data set, before any resizing."""
    match scene:
        case DigitScene():
            return Image.fromarray(scene.picture)
        case CipherScene():
            return cipher_scenes.render(scene)
        case GroundingScene():
            return grounding_scenes.render(scene)
        case DrivingScene():
            return driving_scenes.render(scene)
    return render(scene)


def test_same_inputs_as_the_processor(built: FamilyBuild, tmp_path: Path) -> None:
    built.save(tmp_path)
    checkpoint = open_checkpoint(str(tmp_path))
    processor = checkpoint.load_processor()
    for exercise in exercises(built):
        content = [{"type": "image"}, {"type": "text", "text": exercise.question}]
        chat = [{"role": "user", "content": content}, {"role": "assistant", "content": exercise.target}]
        text = processor.apply_chat_template(chat).removesuffix("\n")
        theirs = checkpoint.adapter.encode(processor, [text], [[picture(exercise.scene)]])
        ours = built.collator([exercise])
        assert torch.equal(ours["input_ids"], theirs["input_ids"])
        torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"].float(), atol=1e-5, rtol=1e-5)
        for name in set(theirs) - {"pixel_values", "input_ids"}:
            assert torch.equal(ours[name], theirs[name].to(ours[name].dtype)), name


def test_loss_falls_on_target_and_end_token_only(built: FamilyBuild) -> None:
    batch = built.collator(exercises(built))
    for row, exercise in enumerate(exercises(built)):
        learnt = batch["labels"][row]
        kept = learnt[learnt != IGNORED]
        text = built.tokenizer.decode(kept)
        assert text == built.collator.answer_prefix + exercise.target + built.collator.end


def test_prompts_are_short_and_any_text_survives_the_tokenizer(built: FamilyBuild) -> None:
    rng = random.Random(2)
    prompt = built.collator.prompt(RECIPES[built.family].lessons.probe(rng))
    assert len(built.tokenizer(prompt)["input_ids"]) <= 48
    strange = "Ist das rote Quadrat links? 7 ≠ 8, naïve — <think>\n\tok</think>"
    assert built.tokenizer.decode(built.tokenizer(strange)["input_ids"]) == strange
