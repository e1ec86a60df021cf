"""A soft prompt in front of a model that sees its pictures: places, positions, padding, files.

The oracle is the base itself: virtual tokens that are real words' embeddings must say what those words would say, in
every family, picture, position and mask included.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, PeftModelForCausalLM, PromptTuningConfig
from PIL import Image

from vlm_grpo import prompts
from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.soft_prompt import SoftPromptModel, behind, open_adapter
from vlm_grpo.adapters.substitution import Substitution
from vlm_grpo.adapters.virtual_tokens import VIRTUAL, insert
from vlm_grpo.decoding.engine import Engine
from vlm_grpo.errors import UserError
from vlm_grpo.merge import command as merge

FAMILIES = ("tiny_qwen", "tiny_smolvlm", "tiny_internvl")
WORDS = "True False above"
PROBLEMS = ("Is it true: The circle is left.", "Is it true: The red circle is left of the blue square and above it.")


@pytest.fixture(params=FAMILIES)
def base(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


class Prompted:
    """A base and the same base behind virtual tokens that are the embeddings of `WORDS`."""

    def __init__(self, folder: Path) -> None:
        self.checkpoint = open_checkpoint(str(folder))
        self.processor = self.checkpoint.load_processor()
        self.model = self.checkpoint.load_model(dtype=torch.float32)
        self.words = self.processor.tokenizer(WORDS, add_special_tokens=False)["input_ids"]
        config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=len(self.words))
        self.wrapped = SoftPromptModel(self.model, config)
        rows = self.wrapped.prompt_encoder["default"].embedding.weight
        with torch.no_grad():
            rows.copy_(self.model.get_input_embeddings().weight[self.words])
        self.family = behind(self.checkpoint, len(self.words)).adapter

    def encode(self, family: Adapter, problems: tuple[str, ...] = PROBLEMS, *, colour: str = "red") -> Any:
        texts = [
            self.processor.apply_chat_template(
                prompts.messages("answer", problem, images=1), add_generation_prompt=True, tokenize=False
            )
            for problem in problems
        ]
        return family.encode(self.processor, texts, [[Image.new("RGB", (112, 112), colour)] for _ in problems])

    def with_words(self, problems: tuple[str, ...] = PROBLEMS) -> Any:
        """The plain prompts with the words themselves in the virtual tokens' places."""
        batch = insert(self.encode(self.checkpoint.adapter, problems), len(self.words))
        ids = batch["input_ids"]
        ids[ids == VIRTUAL] = torch.tensor(self.words * len(ids))
        return batch

    def save(self, folder: Path) -> Path:
        self.wrapped.save_pretrained(folder)
        noted = {"name": self.checkpoint.name, "fingerprint": self.checkpoint.fingerprint}
        (folder / "base.json").write_text(json.dumps(noted))
        return folder


@pytest.fixture
def prompted(base: Path) -> Prompted:
    return Prompted(base)


@torch.no_grad()
def logits(model: Any, batch: Any) -> torch.Tensor:
    found: torch.Tensor = model(**batch).logits
    return found


def test_virtual_tokens_stand_between_the_padding_and_the_row():
    batch = {
        "input_ids": torch.tensor([[0, 0, 7, 8], [5, 6, 0, 0]]),
        "attention_mask": torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0]]),
        "labels": torch.tensor([[-100, -100, -100, 8], [-100, 6, -100, -100]]),
        "pixel_values": torch.ones(2),
    }
    insert(batch, 2)
    assert batch["input_ids"].tolist() == [[0, 0, -1, -1, 7, 8], [-1, -1, 5, 6, 0, 0]]
    assert batch["attention_mask"].tolist() == [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[-100] * 5 + [8], [-100, -100, -100, 6, -100, -100]]
    assert batch["pixel_values"].tolist() == [1, 1]


def test_virtual_tokens_that_are_words_say_what_the_words_say(prompted):
    """Pictures, three rows of positions and masks are right, whatever the padding."""
    batch = prompted.encode(prompted.family)
    assert (batch["attention_mask"][0, 0], batch["attention_mask"][1, 0]) == (0, 1), "one row is padded"
    kept = batch["attention_mask"].bool()
    assert torch.equal(logits(prompted.wrapped, batch)[kept], logits(prompted.model, prompted.with_words())[kept])


def test_the_picture_is_seen(prompted):
    own = logits(prompted.wrapped, prompted.encode(prompted.family))[:, -1]
    blank = logits(prompted.wrapped, prompted.encode(prompted.family, colour="white"))[:, -1]
    assert (own - blank).abs().max() > 1e-2


def test_without_virtual_tokens_nothing_differs_from_the_base(base):
    checkpoint = open_checkpoint(str(base))
    processor, model = checkpoint.load_processor(), checkpoint.load_model(dtype=torch.float32)
    text = processor.apply_chat_template(
        prompts.messages("answer", PROBLEMS[0], images=1), add_generation_prompt=True, tokenize=False
    )
    picture = Image.new("RGB", (112, 112), "red")
    plain = checkpoint.adapter.encode(processor, [text], [[picture]])
    before = logits(model, plain)
    nothing = torch.randn(0, model.get_input_embeddings().weight.shape[1])
    substitution = Substitution(model.get_input_embeddings(), lambda: nothing)
    same = behind(checkpoint, 0).adapter.encode(processor, [text], [[picture]])
    assert plain["input_ids"].tolist() == same["input_ids"].tolist()
    assert torch.equal(logits(model, same), before)
    substitution.remove()


def test_decoding_goes_on_behind_them(prompted):
    """The engine and `generate` with the cache say what they say behind the words themselves."""
    batch, words = prompted.encode(prompted.family), prompted.with_words()
    how = {"do_sample": False, "max_new_tokens": 6, "use_cache": True}
    length = batch["input_ids"].shape[1]
    said = [
        Engine(prompted.model).generate(**batch, **how)[:, length:],
        prompted.model.generate(**batch, **how)[:, length:],
        prompted.model.generate(**words, **how)[:, length:],
    ]
    assert said[0].tolist() == said[1].tolist() == said[2].tolist()


def test_peft_reads_what_is_saved(prompted, tmp_path):
    """PEFT's reader gives the same rows, its own forward the same logits, but for Qwen, whose positions it loses."""
    folder = prompted.save(tmp_path / "soft")
    assert json.loads((folder / "adapter_config.json").read_text())["peft_type"] == "PROMPT_TUNING"
    batch = prompted.encode(prompted.family, PROBLEMS[:1])
    own = logits(prompted.wrapped, batch)
    peft = PeftModel.from_pretrained(prompted.checkpoint.load_model(dtype=torch.float32), folder)
    assert type(peft) is PeftModelForCausalLM
    assert torch.equal(
        peft.prompt_encoder["default"].embedding.weight, prompted.wrapped.prompt_encoder["default"].embedding.weight
    )
    theirs = logits(peft, prompted.encode(prompted.checkpoint.adapter, PROBLEMS[:1]))
    is_near = torch.allclose(theirs[:, -1], own[:, -1], atol=1e-4)
    assert is_near is (prompted.checkpoint.adapter.family != "qwen")


def test_a_saved_soft_prompt_is_opened_before_its_base(prompted, tmp_path):
    opened = open_adapter(prompted.save(tmp_path / "soft"))
    assert opened.base.adapter.virtual_tokens == len(prompted.words)
    attached = opened.attach(opened.base.load_model(dtype=torch.float32))
    assert not any(parameter.requires_grad for parameter in attached.parameters())
    batch = prompted.encode(opened.base.adapter)
    assert torch.equal(logits(attached.get_base_model(), batch), logits(prompted.wrapped, batch))


def test_mistakes_are_told_in_one_line(tiny_qwen, tmp_path, capsys):
    folder = Prompted(tiny_qwen).save(tmp_path / "soft")
    with pytest.raises(SystemExit):
        merge.main(["--adapter", str(folder), "--out", str(tmp_path / "merged")])
    assert "is a soft prompt, which no weights can take in" in capsys.readouterr().err
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"num_virtual_tokens": 7}))
    opened = open_adapter(folder)
    with pytest.raises(UserError, match=r"shape \(3, \d+\) where adapter_config.json and the base ask for \(7, "):
        opened.attach(opened.base.load_model(dtype=torch.float32))
