"""Teaching the eyes: the vision tower learns what is in the cells, the language tower stays as it was."""

import random

import numpy as np
import torch

from vlm_grpo.embedded import scenes
from vlm_grpo.embedded.eyes import class_head, teach_eyes
from vlm_grpo.embedded.lessons import Eyes
from vlm_grpo.embedded.pretrain import RECIPES
from vlm_grpo.embedded.scenes import Scene


def colours(scene: Scene) -> list[int]:
    classes = [0] * scenes.GRID**2
    for thing in scene.things:
        classes[(thing.row - 1) * scenes.GRID + thing.column - 1] = 1 + sorted(scenes.COLOURS).index(thing.colour)
    return classes


def test_evenly_only_the_direction_of_a_token_names_its_classes_and_each_has_a_fixed_one() -> None:
    eyes = RECIPES["qwen2_5_vl_grounding"].lessons.eyes
    assert eyes.evenly
    head = class_head(8, eyes)
    token = torch.randn(1, 8)
    assert torch.allclose(head(token), head(7 * token), atol=1e-4)
    assert not any(weight.requires_grad for weight in head.parameters())
    lengths = torch.cat([head(torch.eye(8)[[at]]).T for at in range(8)], dim=1).norm(dim=1)
    assert torch.allclose(lengths, lengths[0].expand(sum(eyes.classes)), rtol=1e-4)


def test_the_vision_tower_learns_cells_in_the_order_of_the_image_tokens() -> None:
    built = RECIPES["qwen2_5_vl"].built(0)
    before = {name: tensor.clone() for name, tensor in built.model.state_dict().items()}
    teach_eyes(
        built.model,
        built.collator,
        Eyes(
            draw=lambda rng: scenes.random_scene(rng, 4), cells=colours, classes=(5,), steps=30, batch_size=8, peak=2e-3
        ),
        seed=0,
    )
    changed = {name for name, tensor in built.model.state_dict().items() if not tensor.equal(before[name])}
    assert changed == {name for name in before if name.startswith("model.visual.")}
    rng = random.Random(1)
    held_out = [scenes.random_scene(rng, 4) for _ in range(64)]
    labels = np.array([colours(scene) for scene in held_out]).ravel()
    pixels = built.collator.pixel_inputs(np.stack([scenes.render_array(scene) for scene in held_out]))
    with torch.no_grad():
        tokens = torch.cat(built.model.get_image_features(**pixels).pooler_output).numpy()
    tokens = np.c_[tokens, np.ones(len(tokens))]
    fitted = np.linalg.lstsq(tokens[:512], np.eye(5)[labels[:512]], rcond=None)[0]
    assert ((tokens[512:] @ fitted).argmax(1) == labels[512:]).mean() > 0.9
