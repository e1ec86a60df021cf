"""Rows that show unevenly many pictures keep their own, with the fast path and without it; a mix-up stops the run.

As many pictures as rows on average is where TRL takes a SmolVLM row, padded to the most pictures of its batch, for a
picture. What a row should show is known from processing it alone.
"""

import pytest
import torch

from tiny_data import save_pictures
from tiny_grpo import ask, make_trainer
from tiny_reward import VOWELS
from vlm_grpo.decoding.pictures import by_row
from vlm_grpo.errors import UserError
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.shown import MARKS, check_shown
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.rewards import registry
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl

FAMILIES = ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"]
UNEVEN = {
    "two or none": [[0, 1], [], [1, 2], []],
    "none, one, two": [[], [0], [2, 1], [3]],
    "three or none": [[0, 1, 2], [], [], [3]],
    "one or none": [[0], [], [1], []],
    "one picture in all": [[], [], [2], []],
    "no picture": [[], [], [], []],
}
PER_ROW = 2
COUNTS = ("num_images", "num_tiles")


def questions(shown):
    return [(f"Is the circle left of square {number}", pictures) for number, pictures in enumerate(shown)]


def make(family, request, tmp_path, fast, **settings):
    checkpoint = request.getfixturevalue(family)
    return make_trainer(checkpoint, tmp_path, fast=FastArguments(fast=fast), **settings)


def alone(trainer, rows):
    """What each question's row shows: the fields that the processor makes of it alone, by the ids of its prompt."""
    expected = {}
    for row in rows:
        content = [*({"type": "image"} for _ in row["images"]), {"type": "text", "text": row["prompt"][0]["content"]}]
        text = trainer.processing_class.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        processed = trainer.processing_class(text=[text], images=[row["images"]] if row["images"] else None)
        expected[tuple(torch.as_tensor(processed["input_ids"])[0].tolist())] = by_row(processed, None).fields
    return expected


def real_tiles(fields):
    """The pixels that are no padding, whatever a row was padded to beside others."""
    pixels = fields["pixel_values"]
    return pixels if pixels.ndim == 2 else pixels[pixels.flatten(2).any(-1)]


def assert_own_pictures(batch, expected):
    pictures = by_row(batch, batch.get("num_images"))
    for row, (ids, mask) in enumerate(zip(batch["prompt_ids"], batch["prompt_mask"], strict=True)):
        own = expected[tuple(ids[mask.bool()].tolist())]
        shown = pictures.narrow([row])
        assert shown.keys() == own.keys()
        if own:
            assert torch.equal(real_tiles(shown), real_tiles(own))


@pytest.mark.parametrize("shown", UNEVEN)
@pytest.mark.parametrize("fast", ["on", "off"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_micro_batch_shows_each_row_its_own_pictures(family, fast, shown, request, tmp_path):
    trainer = make(
        family, request, tmp_path, fast, rows=2, gradient_accumulation_steps=2, steps_per_generation=4, num_iterations=2
    )
    rows = ask(*questions(UNEVEN[shown]), times=PER_ROW)
    expected = alone(trainer, rows[::PER_ROW])
    seen = []
    for step in range(8):
        trainer._step = step
        batch = trainer._prepare_inputs(rows)
        assert_own_pictures(batch, expected)
        seen += batch["prompt_ids"].tolist()
        with torch.no_grad():
            assert torch.isfinite(trainer.compute_loss(trainer.model, batch))
    assert len(seen) == 2 * len(rows), "each rollout is learnt from twice"


@pytest.mark.parametrize("batch_size", [1, 2, 3, None])
@pytest.mark.parametrize("fast", ["on", "off"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_scores_beside_others_as_it_does_alone(family, fast, batch_size, request, tmp_path):
    trainer = make(family, request, tmp_path, fast, rows=8)
    batch = trainer._prepare_inputs(ask(*questions(UNEVEN["two or none"]), times=PER_ROW))
    ids, mask = (torch.cat([batch[f"prompt_{kind}"], batch[f"completion_{kind}"]], 1) for kind in ("ids", "mask"))
    pictures = by_row(batch, batch["num_images"])

    def score(rows, **how):
        inputs = {name: batch[name][rows] for name in ("mm_token_type_ids",) if name in batch}
        counts = {name: batch[name][rows] for name in COUNTS if name in batch}
        inputs |= pictures.narrow(range(len(ids))[rows]) | counts
        with torch.no_grad():
            return trainer._get_per_token_logps_and_entropies(
                trainer.model, ids[rows], mask[rows], batch["completion_ids"].shape[1], **how, **inputs
            )[0]

    together = score(slice(None), batch_size=batch_size)
    each = torch.cat([score(slice(row, row + 1)) for row in range(len(ids))])
    assert each.abs().max() > 1
    assert torch.allclose(together * batch["completion_mask"], each * batch["completion_mask"], atol=1e-5)


@pytest.mark.parametrize("fast", ["on", "off"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_mix_up_is_one_line(family, fast, request, tmp_path):
    trainer = make(family, request, tmp_path, fast, rows=8)
    config = trainer._inner_model().config
    batch = trainer._prepare_inputs(ask(*questions([[0], [2], [1, 3], []]), times=PER_ROW))
    check_shown(batch, config)
    pictures, counts = by_row(batch, batch["num_images"]), batch["num_images"]
    assert len(set(batch[MARKS].tolist())) == 4, "one mark for each prompt's pictures"
    ones = [row for row, count in enumerate(counts) if count == 1]
    first, other = ones[0], next(row for row in ones if batch[MARKS][row] != batch[MARKS][ones[0]])
    swapped = list(range(len(counts)))
    swapped[first], swapped[other] = other, first
    with pytest.raises(UserError, match=rf"row {first} of a micro-batch .* not those that it was generated with"):
        check_shown(batch | pictures.narrow(swapped), config)
    two = counts.index(2)
    swapped = list(range(len(counts)))
    swapped[first], swapped[two] = two, first
    mixed = batch | pictures.narrow(swapped)
    mixed |= {name: [batch[name][row] for row in swapped] for name in COUNTS if name in batch}
    with pytest.raises(UserError, match=rf"row {min(first, two)} of a micro-batch .* tokens, its pictures have"):
        check_shown(mixed, config)
    del batch[MARKS]
    check_shown(batch, config)


MIXED = """
model: {model}
data: {data}
output_dir: {out}
gradient_checkpointing: false
learning_rate: 1e-2
per_device_train_batch_size: 4
num_generations: 2
steps_per_generation: 2
num_iterations: 2
max_completion_length: 4
max_steps: 6
rewards: [vowels]
logging_steps: 1
save_steps: 3
seed: 3
"""


@pytest.mark.parametrize("family", [FAMILIES[0], pytest.param(FAMILIES[1], marks=pytest.mark.nightly)])
def test_a_resumed_run_shows_what_the_undisturbed_one_did(family, request, tmp_path, monkeypatch):
    """Step 3 lies between two steps that learn from the same rollouts, which the checkpoint keeps."""
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)
    root = tmp_path / "data"
    save_pictures(root)
    names = ("red", "green", "blue", "yellow")
    rows = [
        Row(
            id=f"r{number}",
            images=tuple(f"images/{names[picture]}.png" for picture in shown),
            problem=f"Is the following statement true: The circle is left of square {number}.",
            solution=f"{number % 2 == 0}",
            task="vsr",
        )
        for number, shown in enumerate(UNEVEN["two or none"])
    ]
    dataset.save(root, {"train": rows}, source={}, config={}, seconds=0.0)
    runs = [tmp_path / "whole", tmp_path / "resumed"]
    for out in runs:
        config = tmp_path / f"{out.name}.yaml"
        config.write_text(MIXED.format(model=request.getfixturevalue(family), data=root, out=out))
        grpo.main(["--config", str(config)])
    for name in ("checkpoint-6", "final"):
        for file in sorted((runs[1] / name).iterdir(), reverse=True):
            file.unlink()
        (runs[1] / name).rmdir()
    (runs[1] / "manifest.json").unlink()
    grpo.main(["--config", str(tmp_path / "resumed.yaml")])
    whole, resumed = ((out / "final" / "adapter_model.safetensors").read_bytes() for out in runs)
    assert whole == resumed
    texts = [[line["text"] for line in jsonl.read(out / "completions.jsonl")] for out in runs]
    assert texts[0] == texts[1]
