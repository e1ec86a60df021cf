"""`double_check`: the second turn is asked for, its tokens carry no loss, and two steps of it train on a CPU."""

import re
from functools import partial
from pathlib import Path

import pytest
import torch

from tiny_grpo import ask, make_trainer
from vlm_grpo.decoding.pictures import by_row
from vlm_grpo.environments.conversation import turn_ids
from vlm_grpo.environments.double_check import ENVIRONMENT, QUESTION
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.turns import TurnsGRPOTrainer
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.digits import build as digits
from vlm_grpo.tasks.digits import glyphs

CONFIGS = Path(__file__).parents[2] / "configs"
ENDS = list(range(20, 120))
"""Ids that end a turn of a random model, which rarely comes upon its end token."""
ROW = Row(id="r", images=(), problem="Is it?", solution="True", task="vsr")
GOOD, BARE = "<think> so </think> <answer> True </answer>", "<answer> True </answer>"
FAMILIES = ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"]


def make(checkpoint, out, *, fast="on", length=160, **settings):
    trainer = make_trainer(
        checkpoint,
        out,
        kind=partial(TurnsGRPOTrainer, environment=ENVIRONMENT, fast=FastArguments(fast=fast)),
        max_completion_length=length,
        generation_kwargs={"eos_token_id": ENDS},
        **settings,
    )
    trainer.eos_token_ids[:] = ENDS
    return trainer


def rows(*, times=2):
    return ask(
        ("Is the circle red", [0]), ("Is the square above it", [1, 2]), ("Hm", []), ("And now", [3]), times=times
    )


def test_it_asks_once():
    assert ENVIRONMENT.respond(["True"], []).text == QUESTION
    assert ENVIRONMENT.respond(["True", "False"], []) is None


@pytest.mark.parametrize("fast", ["on", "off"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_environments_tokens_are_its_question_and_carry_no_loss(family, fast, request, tmp_path):
    trainer = make(request.getfixturevalue(family), tmp_path, fast=fast)
    batch = trainer._prepare_inputs(rows())
    question = turn_ids(trainer.processing_class, ENVIRONMENT.respond([""], []), ends=trainer.eos_token_ids)
    asked = 0
    for ids, real, own in zip(batch["completion_ids"], batch["completion_mask"], batch["tool_mask"], strict=True):
        of_environment = ids[(real == 1) & (own == 0)].tolist()
        assert of_environment in (question, [])
        if of_environment:
            asked += 1
            first = int(own.argmin())
            assert ids[first - 1] in torch.tensor(ENDS), "the question follows on an end token of the model's"
            assert ids[first : first + len(question)].tolist() == question, "in one piece"
            assert own[first + len(question) :].all()
            assert real[first + len(question)], "and the model answers it"
    assert asked > len(rows()) / 2
    stock = trainer._get_per_token_logps_and_entropies

    def loss(where):
        moved = lambda *a, **k: (lambda found: (found[0] + where, *found[1:]))(stock(*a, **k))  # noqa: E731
        trainer._get_per_token_logps_and_entropies = moved
        return trainer.compute_loss(trainer.model, batch).item()

    environments = (batch["completion_mask"] * (1 - batch["tool_mask"])).float()
    models = (batch["completion_mask"] * batch["tool_mask"]).float()
    assert loss(0 * models) == loss(environments) != loss(models)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fast_path_and_trls_converse_and_score_alike(family, request, tmp_path):
    """The same seed gives the same two turns; log-probabilities of both agree."""
    batches, scores = [], []
    for fast in ("on", "off"):
        trainer = make(request.getfixturevalue(family), tmp_path / fast, fast=fast)
        torch.manual_seed(11)
        batch = trainer._generate_and_score_completions(rows())
        batches.append(batch["completion_ids"].tolist())
        scores.append(batch["ref_per_token_logps"] * batch["completion_mask"])
    assert batches[0] == batches[1]
    assert torch.allclose(*scores, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_second_turn_goes_on_from_the_whole_conversation(family, request, tmp_path):
    """A greedy second turn is, token by token, what the model finds likeliest where the whole row is scored."""
    trainer = make(request.getfixturevalue(family), tmp_path)
    trainer.generation_config.do_sample = False
    batch = trainer._generate_and_score_completions(rows(times=1))
    ids, mask = (torch.cat([batch[f"prompt_{kind}"], batch[f"completion_{kind}"]], 1) for kind in ("ids", "mask"))
    kinds = {name: batch[name] for name in ("mm_token_type_ids",) if name in batch}
    pictures = by_row(batch, batch["num_images"])
    with torch.no_grad():
        logits = trainer.model(input_ids=ids, attention_mask=mask, **kinds, **pictures.fields).logits
    logits[..., trainer.generation_config.suppress_tokens] = -torch.inf
    likeliest = logits[:, batch["prompt_ids"].shape[1] - 1 : -1].argmax(-1)
    own = (batch["completion_mask"] * batch["tool_mask"]).bool()
    assert torch.equal(likeliest[own], batch["completion_ids"][own])
    assert not batch["tool_mask"].all(1).any(), "every row has a second turn"


def test_no_room_for_the_question_ends_the_conversation(tiny_qwen, tmp_path):
    trainer = make(tiny_qwen, tmp_path, length=30)
    batch = trainer._prepare_inputs(rows())
    assert batch["tool_mask"].all()
    assert trainer._metrics["train"]["environment/cut"] == [1.0]
    assert trainer._metrics["train"]["environment/turns"] == [1.0]


def test_correctness_is_the_last_turns_and_format_is_both():
    accuracy, form = REWARDS["accuracy"], REWARDS["format"]
    for said, right, well_formed in (
        ([GOOD, BARE], 1.0, 0.5),
        ([BARE, GOOD], 1.0, 0.5),
        ([GOOD, GOOD.replace("True", "False")], 0.0, 1.0),
        ([GOOD.replace("True", "False"), GOOD], 1.0, 1.0),
        ([GOOD, "so it is"], 0.0, 0.5),
    ):
        assert accuracy.of_turns(said, ROW, rule="strict") == right
        assert form.of_turns(said, ROW, rule="strict") == well_formed


def test_two_steps_on_digits_with_the_model_that_reads_them(tmp_path, monkeypatch):
    digits.build(tmp_path / "digits", source=glyphs.load(), seed=3, pictures={"train": 6, "validation": 3, "test": 3})
    out = tmp_path / "run"
    monkeypatch.setenv("DATA_PATH", str(tmp_path))
    monkeypatch.setenv("OUT_PATH", str(tmp_path))
    grpo.main(
        [
            *("--config", str(CONFIGS / "embedded/qwen_double_check_grpo.yaml"), "--output_dir", str(out)),
            *("--max_steps", "2", "--num_generations", "4", "--per_device_train_batch_size", "12"),
            *("--warmup_steps", "0"),
        ]
    )
    rollouts = jsonl.read(out / "completions.jsonl")
    assert len(rollouts) == 24
    for rollout in rollouts:
        roles = [turn["role"] for turn in rollout["turns"]]
        assert roles == ["assistant", "user", "assistant"]
        assert rollout["turns"][1]["text"] == QUESTION
        assert rollout["text"] == rollout["turns"][2]["text"]
    assert sum("<answer>" in rollout["turns"][0]["text"] for rollout in rollouts) > 18
    metrics = jsonl.read(out / "metrics.jsonl")
    assert [line["environment/turns"] for line in metrics if "loss" in line] == [2.0, 2.0]
    assert any(line.get("grad_norm", 0) > 0 for line in metrics)
    assert not any("tools/call_frequency" in line for line in metrics)


@pytest.mark.parametrize(
    "command, words, refused",
    [
        (grpo, ["--environment", "treble_check"], "unknown environment 'treble_check'; known: double_check"),
        (grpo, ["--environment", "double_check", "--use_vllm", "true"], "environment double_check .* use_vllm: false"),
        (grpo, ["--environment", "double_check", "--max_tool_calling_iterations", "2"], "there are no tools"),
        (grpo, ["--max_tool_calling_iterations", "2"], "there are no tools"),
        (sft, ["--environment", "double_check"], "environment"),
    ],
)
def test_what_makes_no_sense_is_one_line(command, words, refused, tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text(f"model: embedded:qwen2_5_vl\ndata: nowhere\noutput_dir: {tmp_path / 'out'}\n")
    with pytest.raises(SystemExit):
        command.main(["--config", str(config), *words])
    error = capsys.readouterr().err
    assert re.search(refused, error)
    assert error.count("\n") == 1
