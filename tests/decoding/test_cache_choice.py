import pytest
import torch

from tiny_data import tiny_rows
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.decoding.cache_choice import choose_cache, greedy_parity
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import batches
from vlm_grpo.tasks import asking


class Bench:
    """A model and an encoded batch of three prompts of different lengths."""

    def __init__(self, folder, data):
        checkpoint = open_checkpoint(str(folder))
        self.adapter = checkpoint.adapter
        self.model = checkpoint.load_model(dtype=torch.float32)
        processor = checkpoint.load_processor()
        asked = asking.render(tiny_rows(3), processor, template="reason")
        self.encoded = batches.encode(asked, adapter=self.adapter, processor=processor, root=data)

    def choose(self, setting):
        return choose_cache(setting, model=self.model, adapter=self.adapter, batch=lambda: self.encoded)


@pytest.fixture(scope="module")
def smolvlm(tiny_smolvlm, tiny_data):
    return Bench(tiny_smolvlm, tiny_data)


def test_idefics3_decodes_the_same_with_and_without_cache(smolvlm):
    assert greedy_parity(smolvlm.model, smolvlm.encoded)


def test_smolvlm_is_off_by_default_and_on_after_the_check(smolvlm, caplog):
    assert smolvlm.choose("default") is False
    assert caplog.text == ""
    assert smolvlm.choose("auto") is True
    assert "gave the same tokens, so the cache is on" in caplog.text


def test_a_cache_that_changes_tokens_stays_off(smolvlm, caplog):
    """The defect of former transformers releases: the picture is lost while decoding from the cache."""

    def lose_the_picture(model, arguments, inputs, output):
        read = inputs.get("input_ids") if inputs.get("inputs_embeds") is None else inputs["inputs_embeds"]
        if read.shape[1] == 1:
            output.last_hidden_state = -output.last_hidden_state

    hook = smolvlm.model.get_decoder().register_forward_hook(lose_the_picture, with_kwargs=True)
    assert smolvlm.choose("auto") is False
    hook.remove()
    assert "gave different tokens, so the cache is off" in caplog.text


def test_the_check_leaves_the_model_as_it_was(smolvlm):
    smolvlm.model.train()
    greedy_parity(smolvlm.model, smolvlm.encoded)
    assert smolvlm.model.training
    smolvlm.model.eval()


@pytest.mark.parametrize("setting, chosen", [(True, True), (False, False), ("true", True), ("False", False)])
def test_the_users_word_stands(smolvlm, setting, chosen):
    assert smolvlm.choose(setting) is chosen


def test_qwen_is_on_by_default(tiny_qwen, tiny_data):
    assert Bench(tiny_qwen, tiny_data).choose("default") is True


def test_an_unknown_setting_names_the_known_ones(smolvlm):
    with pytest.raises(UserError, match="unknown use_cache 'perhaps'; known: default, auto, true, false"):
        smolvlm.choose("perhaps")
