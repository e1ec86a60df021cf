"""A soft prompt learns each answer token from the position before it, and a stopped run ends as an undisturbed one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import set_seed

from signal_at import SignalAt
from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.virtual_tokens import VIRTUAL
from vlm_grpo.config import parse
from vlm_grpo.methods import examples
from vlm_grpo.methods.settings import settle_sft
from vlm_grpo.methods.soft_prompt import command, teacher
from vlm_grpo.methods.soft_prompt.arguments import NO_EFFECT, TYPES
from vlm_grpo.methods.soft_prompt.placement import check_placement, put_before
from vlm_grpo.methods.soft_prompt.trainer import SoftPromptTrainer
from vlm_grpo.store import jsonl, manifest

CONFIG = """
model: {model}
data: {data}
output_dir: {out}
prompt: answer
virtual_tokens: 4
per_device_train_batch_size: 3
gradient_checkpointing: false
learning_rate: 1e-1
lr_scheduler_type: cosine
logging_steps: 1
save_steps: 100
seed: 3
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("soft") / "data", train=tiny_rows(6, split="train"))


def words(folder: Path, model: Path, data: Path, *more: str) -> list[str]:
    folder.with_suffix(".yaml").write_text(CONFIG.format(model=model, data=data, out=folder))
    return ["--config", str(folder.with_suffix(".yaml")), *more]


def trainer_of(model: Path, data: Path, folder: Path, *more: str, teach: Any = None) -> SoftPromptTrainer:
    parsed = parse(TYPES, words(folder, model, data, *more), description="", no_effect=NO_EFFECT)
    study, soft, training = parsed.arguments
    settle_sft(training)
    folder.mkdir()
    base = open_checkpoint(study.model)
    set_seed(training.seed)
    return SoftPromptTrainer(
        run=folder,
        virtual_tokens=soft.virtual_tokens,
        teacher=teach,
        teacher_weight=0.5 if teach else 0.0,
        model=put_before(base.load_model(dtype=torch.float32), base, soft),
        args=training,
        processing_class=base.load_processor(),
        train_dataset=examples.sft_dataset(tiny_rows(6, split="train"), root=data, prompt="answer", target="bare"),
    )


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm"])
def test_the_loss_is_that_of_the_next_token_alone(family, request, data, tmp_path):
    """By hand, on one row: the log-probability of each answer token at the position before it."""
    trainer = trainer_of(request.getfixturevalue(family), data, tmp_path / "run")
    batch = trainer.data_collator([dict(trainer.train_dataset[0])])
    batch.pop("row_ids")
    ids, labels = batch["input_ids"][0], batch["labels"][0]
    learnt = (labels != -100).nonzero().flatten().tolist()
    answer = trainer.processing_class.tokenizer.decode(ids[learnt], skip_special_tokens=True).strip()
    assert ids[:4].tolist() == [VIRTUAL] * 4
    assert (answer, learnt) == ("True", list(range(learnt[0], len(ids)))), "the answer, and the end of its turn"
    with torch.no_grad():
        log_probs = trainer.model(**{k: v for k, v in batch.items() if k != "labels"}).logits[0].log_softmax(-1)
        by_hand = -torch.stack([log_probs[place - 1, ids[place]] for place in learnt]).mean()
        loss = trainer.compute_loss(trainer.model, dict(batch))
    assert loss.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_a_teacher_that_knows_the_answer_teaches_what_the_answer_does(tiny_qwen, data, tmp_path):
    """With all its mass on the labels, its distance is the cross-entropy, gradient and all."""

    class Sure:
        def of(self, ids: list[str], labels: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
            tokens = torch.cat(labels).unsqueeze(1)
            return tokens.int(), torch.zeros(tokens.shape)

    plain = trainer_of(tiny_qwen, data, tmp_path / "plain")
    taught = trainer_of(tiny_qwen, data, tmp_path / "taught", teach=Sure())
    losses = []
    for trainer in (plain, taught):
        batch = trainer.data_collator([dict(trainer.train_dataset[i]) for i in range(3)])
        batch.pop("row_ids")
        loss = trainer.compute_loss(trainer.model, batch)
        loss.backward()
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    gradients = [trainer.model.prompt_encoder["default"].embedding.weight.grad for trainer in (plain, taught)]
    assert torch.allclose(*gradients, rtol=1e-2, atol=1e-4)
    assert taught._metrics["train"]["mean_token_accuracy"] == plain._metrics["train"]["mean_token_accuracy"]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_the_distance_is_a_part_of_the_whole_divergence(seed, count):
    torch.manual_seed(seed)
    student, own = (torch.randn(5, 7, dtype=torch.float64) for _ in range(2))
    kept = teacher.likeliest(own, torch.zeros(5), count=count)
    apart = teacher.distance(student.log_softmax(-1), kept["ids"], kept["log_probs"].double())
    log = own.log_softmax(-1)
    whole = (log.exp() * (log - student.log_softmax(-1))).sum(-1)
    assert (apart <= whole + 5e-3).all(), "but for the rounding of what is kept"
    assert (apart >= -5e-3).all()
    same = teacher.distance(own.log_softmax(-1), kept["ids"], kept["log_probs"].double())
    assert same.abs().max() < 5e-3


@pytest.mark.parametrize("start", [["--start", "random"], ["--start", "text", "--start_text", "True or False"]])
def test_what_the_virtual_tokens_start_as(start, tiny_qwen, data, tmp_path):
    trainer = trainer_of(tiny_qwen, data, tmp_path / "run", *start)
    rows = trainer.model.prompt_encoder["default"].embedding.weight
    assert check_placement(trainer.model) == rows.numel()
    if "text" in start:
        tokenizer, embedding = trainer.processing_class.tokenizer, trainer.model.get_input_embeddings().weight
        ids = (tokenizer("True or False")["input_ids"] * 4)[:4]
        assert torch.equal(rows, embedding[ids])


def test_stopped_by_a_signal(tiny_qwen, data, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "MetricsFile", SignalAt)
    command.main(words(tmp_path / "undisturbed", tiny_qwen, data, "--max_steps", "4"))
    monkeypatch.setattr(SignalAt, "steps", (3,))
    with pytest.raises(SystemExit) as left:
        command.main(words(tmp_path / "stopped", tiny_qwen, data, "--max_steps", "4"))
    assert left.value.code == 85
    monkeypatch.setattr(SignalAt, "steps", ())
    command.main(words(tmp_path / "stopped", tiny_qwen, data, "--max_steps", "4"))
    undisturbed, stopped = (tmp_path / name for name in ("undisturbed", "stopped"))
    saved = [load_file(run / "final" / "adapter_model.safetensors") for run in (undisturbed, stopped)]
    assert [list(tensors) for tensors in saved] == [["prompt_embeddings"]] * 2
    assert torch.equal(saved[0]["prompt_embeddings"], saved[1]["prompt_embeddings"])
    assert jsonl.read(stopped / "seen.jsonl") == jsonl.read(undisturbed / "seen.jsonl")
    losses = [[line["loss"] for line in jsonl.read(run / "metrics.jsonl")] for run in (undisturbed, stopped)]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]
    assert manifest.read(stopped, kind="soft_prompt")["counts"]["trainable_parameters"] == 4 * 128


@pytest.mark.parametrize(
    "more, message",
    [
        (["--lora_r", "4"], "setting 'lora_r' has no effect: a soft prompt is all that trains"),
        (["--start", "text"], "start: text needs one"),
        (["--target", "trace"], "row train-000 has no column 'trace'"),
        (["--target", "trace", "--teacher_weight", "0.5"], "has no teacher_logits.safetensors"),
        (["--virtual_tokens", "0"], "'virtual_tokens': 0 is out of range"),
    ],
)
def test_mistakes_leave_with_one_line(more, message, tiny_qwen, data, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        command.main(words(tmp_path / "run", tiny_qwen, data, *more))
    assert left.value.code == 2
    assert message in capsys.readouterr().err
