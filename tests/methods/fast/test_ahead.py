"""The next batch's pictures are processed in a thread beside the model, and nothing else changes."""

import threading

import pytest
import torch
from transformers import TrainerCallback

from tiny_data import save_tiny_data, tiny_rows
from tiny_grpo import LONG, SHORT, ask, make_trainer
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.methods import examples
from vlm_grpo.methods.fast import processing
from vlm_grpo.methods.fast.ahead import KEPT, PicturesAhead
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.tasks.view import AS_IS

FAMILIES = ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"]
STEPS = 4


class Counted:
    """An image processor that notes in which thread it was asked."""

    def __init__(self, stock):
        self.stock, self.threads = stock, []

    def __getattr__(self, name):
        return getattr(self.stock, name)

    def __call__(self, images, **settings):
        self.threads.append(threading.current_thread() is threading.main_thread())
        return self.stock(images, **settings)


class Joined(TrainerCallback):
    """Ends no step before the thread has done what it was given, however busy the machine is."""

    def __init__(self, ahead):
        self.ahead = ahead

    def on_step_end(self, *_, **__):
        self.ahead._thread.submit(int).result()


def run(checkpoint, out, *, ahead):
    """Losses, completions and the random state after a few steps, and in which threads pictures were processed."""
    trainer = make_trainer(
        checkpoint, out, fast=FastArguments(fast="on"), rows=4, max_steps=STEPS, logging_steps=1, learning_rate=1e-2
    )
    counted = trainer.ahead._image_processor = Counted(trainer.ahead._image_processor)
    if not ahead:
        trainer.data_collator = lambda rows: rows
    trainer.add_callback(Joined(trainer.ahead))
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return losses, list(trainer._logs["completion"]), torch.get_rng_state(), counted.threads


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_is_the_same_with_its_pictures_prepared_ahead(family, request, tmp_path):
    checkpoint = request.getfixturevalue(family)
    *expected, in_main = run(checkpoint, tmp_path, ahead=False)
    *same, in_either = run(checkpoint, tmp_path, ahead=True)
    assert same[:2] == expected[:2]
    assert torch.equal(same[2], expected[2])
    assert in_main == [True] * STEPS, "TRL's second call for a batch is answered from the first"
    # The loader has made two batches before the first is used, which shows how pictures are processed.
    assert sorted(in_either) == [False] * (STEPS - 2) + [True] * 2


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_prepared_is_what_the_processor_makes(family, request):
    processor = open_checkpoint(str(request.getfixturevalue(family))).load_processor()
    stock = processor.image_processor
    ahead = PicturesAhead(counted := Counted(stock))
    batches = [ask((SHORT, [number]), (LONG, []), (LONG, [0, number]), times=2) for number in range(3)]
    shown = [[row["images"] for row in batch[::2]] for batch in batches]
    ahead.prepare(batches[0])
    assert not counted.threads, "nothing is known yet of how"
    ahead(shown[0], return_tensors=None)
    ahead.prepare(batches[1])
    ahead._thread.submit(int).result()
    found = ahead(shown[1])
    assert counted.threads == [True, False]
    expected = stock(shown[1], return_tensors="pt")
    assert found.keys() == expected.keys()
    assert torch.equal(found["pixel_values"], expected["pixel_values"])
    found.clear()
    assert ahead(shown[1]).keys() == expected.keys(), "what a caller does to a result is its own"
    for number in range(KEPT):
        ahead(shown[2], do_rescale=bool(number % 2), rescale_factor=1 / (number + 1))
    assert len(ahead._results) == KEPT


def test_a_picture_that_cannot_be_processed_fails_where_it_is_asked_for(tiny_qwen):
    ahead = PicturesAhead(open_checkpoint(str(tiny_qwen)).load_processor().image_processor)
    (row,) = ask((SHORT, [0]), times=1)
    ahead([row["images"]])
    flat = row | {"images": [row["images"][0].resize((2000, 1))]}
    assert ahead.prepare([flat]) == [flat]
    ahead._thread.submit(int).result()
    for _ in range(2):
        with pytest.raises(ValueError, match="aspect ratio"):
            ahead([flat["images"]])


def test_a_batch_opens_each_picture_once(tmp_path, monkeypatch):
    root = save_tiny_data(tmp_path / "data")
    rows = tiny_rows(6, split="train")
    opened = []
    stock = examples.open_picture
    monkeypatch.setattr(examples, "open_picture", lambda root, name: opened.append(name) or stock(root, name))
    data = examples._lazy([examples._common(row, "reason", AS_IS) for row in rows], root)
    batch = data[[0, 0, 1, 4, 4]]["images"]
    names = [rows[row].images[0] for row in (0, 1, 4)]
    assert sorted(opened) == sorted(set(names))
    again = data[[4, 4]]["images"]
    assert len(opened) == len(set(names)), "the batch before showed it"
    assert again[0][0] is batch[3][0]
    assert batch[0][0].tobytes() == stock(root, names[0]).tobytes()


def test_the_content_of_a_picture_is_looked_at_once_a_batch(tiny_qwen, tmp_path, monkeypatch):
    hashed = []
    stock = processing.blake2b
    monkeypatch.setattr(processing, "blake2b", lambda content: hashed.append(content) or stock(content))
    trainer = make_trainer(tiny_qwen, tmp_path, fast=FastArguments(fast="on"))
    trainer._generate_and_score_completions(rows := ask((SHORT, [0]), (LONG, [1]), times=2))
    assert len(hashed) == len(rows)
    assert not trainer.ahead.known, "pictures are let go with their batch"
