"""The canary tells a vLLM that follows the weights and reads the scored prompts from one that does not.

A copy of the policy stands in vLLM's place; `test_real_vllm.py` has the real one.
"""

from functools import partial

import pytest
import torch

from stand_in_vllm import StandInVLLM
from tiny_grpo import LONG, ask, make_trainer
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.errors import UserError
from vlm_grpo.methods.vllm import canary
from vlm_grpo.methods.vllm.prompts import ReadsWhatIsScored, SamePrompts

FAMILIES = ("tiny_qwen", "tiny_smolvlm", "tiny_internvl")
SEVERAL = ask((LONG, [0, 1]), times=1)[0]


@pytest.fixture
def make(request, tmp_path, monkeypatch):
    """Make a trainer over a checkpoint's fixture with a stand-in as `served` says; `settings` are TRL's."""

    def build(name, *, served=None, **settings):
        monkeypatch.setattr("trl.trainer.grpo_trainer.VLLMGeneration", partial(StandInVLLM, **served or {}))
        checkpoint = request.getfixturevalue(name)
        return make_trainer(checkpoint, tmp_path, kind=ReadsWhatIsScored, use_vllm=True, **settings)

    return build


@pytest.mark.parametrize("how", [{"vllm_mode": "colocate"}, {"vllm_mode": "server"}, {"whole": True}], ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_faithful_vllm_passes_in_every_family(make, capsys, name, how):
    trainer = make(name, **how)
    before = {name: p.clone() for name, p in trainer.model.named_parameters()}
    canary.prove_synchronised(trainer, SEVERAL)
    assert "prompt ids that are scored" in capsys.readouterr().err
    assert all(torch.equal(p, before[name]) for name, p in trainer.model.named_parameters()), "the policy is put back"
    assert trainer._last_loaded_step == -1, "the next rollout synchronises"


@pytest.mark.parametrize("whole", [False, True])
def test_a_stale_vllm_is_told(make, whole):
    trainer = make("tiny_qwen", served={"follows": False}, whole=whole)
    with pytest.raises(UserError, match="does not answer with the trained weights"):
        canary.prove_synchronised(trainer, SEVERAL)


@pytest.mark.parametrize("name", FAMILIES)
def test_placeholders_expanded_twice_are_told(make, monkeypatch, name):
    trainer = make(name)
    as_trl = partial(SamePrompts.generate, trainer.vllm_generation)

    def generate(prompts, **rest):
        trainer.vllm_generation.texts = prompts
        return as_trl(prompts, **rest)

    monkeypatch.setattr(trainer.vllm_generation, "generate", generate, raising=False)
    family = name.removeprefix("tiny_")
    with pytest.raises(UserError, match=rf"\(family {family}.*\): \d+ ids against \d+, first.*position \d+.*6294"):
        canary.prove_synchronised(trainer, SEVERAL)


@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_pictures_prepared_with_other_settings_are_told(make, tiny_qwen, mode):
    other = open_checkpoint(str(tiny_qwen)).load_processor(max_pixels=56 * 56)
    trainer = make("tiny_qwen", served={"processor": other}, vllm_mode=mode)
    with pytest.raises(UserError, match="reads another prompt"):
        canary.prove_synchronised(trainer, SEVERAL)


def test_the_canary_is_short_and_counts_truncated_completions(make, monkeypatch):
    monkeypatch.setattr(canary, "TOKENS", 3)
    trainer = make("tiny_qwen", mask_truncated_completions=True, max_completion_length=6)
    canary.prove_synchronised(trainer, SEVERAL)
    generation = trainer.vllm_generation.generation
    assert (generation.asked_tokens, generation.max_completion_length) == ([3], 6)
    assert trainer.mask_truncated_completions


def test_no_token_proves_nothing():
    nothing = torch.zeros(0)
    with pytest.raises(UserError, match="does not answer"):
        canary.compare(nothing, changed=nothing, unchanged=nothing)


def test_an_absent_vllm_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="vllm is not installed"):
        canary.check_vllm()
