"""The canary tells a server that follows the trained weights from one that does not; a second model is the server."""

import copy

import pytest
import torch

from tiny_grpo import LONG, ask, make_trainer
from vlm_grpo.adapters.qwen import QWEN
from vlm_grpo.adapters.smolvlm import SMOLVLM
from vlm_grpo.errors import UserError
from vlm_grpo.training import vllm_canary

SERVER_NOISE = 1e-3


def serve(trainer, monkeypatch, *, follows):
    """Let a copy of the policy report the log-probabilities; on each synchronisation it follows, or not."""
    served = copy.deepcopy(trainer.model)
    generate = type(trainer)._generate_and_score_completions

    def generate_with_server(self, rows):
        if self._last_loaded_step != self.state.global_step and follows:
            served.load_state_dict(self.model.state_dict())
        self._last_loaded_step = self.state.global_step
        policy, self.model = self.model, served
        batch = generate(self, rows)
        logps = vllm_canary._logps(self, batch)
        self.model = policy
        return batch | {"sampling_per_token_logps": logps + SERVER_NOISE * torch.randn_like(logps)}

    monkeypatch.setattr("trl.GRPOTrainer._generate_and_score_completions", generate_with_server)


@pytest.mark.parametrize("follows", [True, False])
def test_a_stale_server_is_told(tiny_qwen, tmp_path, monkeypatch, follows):
    trainer = make_trainer(tiny_qwen, tmp_path)
    before = {name: p.clone() for name, p in trainer.model.named_parameters()}
    serve(trainer, monkeypatch, follows=follows)
    row = ask((LONG, [0]), times=1)[0]
    if follows:
        vllm_canary.prove_synchronised(trainer, row)
    else:
        with pytest.raises(UserError, match="does not answer with the trained weights"):
            vllm_canary.prove_synchronised(trainer, row)
    assert all(torch.equal(p, before[name]) for name, p in trainer.model.named_parameters()), "the policy is put back"
    assert trainer._last_loaded_step == -1, "the next rollout synchronises"


def test_a_family_that_vllm_misreads_is_refused():
    with pytest.raises(UserError, match="family smolvlm: the picture placeholders"):
        vllm_canary.check_vllm(SMOLVLM)


def test_an_absent_vllm_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="vllm is not installed"):
        vllm_canary.check_vllm(QWEN)
