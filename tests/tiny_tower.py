"""Language towers of the tiny models with random weights, LoRA on them, and tokens decoded with them one by one.

Decoding starts from the model's own reading of prompts of unequal length, padded on the left, at positions whose three
rows (of the family that has them) differ.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from vlm_grpo.adapters.checkpoint import open_checkpoint

LENGTHS = (20, 13, 7, 2)
TOKENS = 8
Step = Callable[..., torch.Tensor]


def random_model(
    checkpoint: Path, *, layers: int = 3, dtype: torch.dtype = torch.float32, attention: str = "sdpa"
) -> PreTrainedModel:
    """The architecture of `checkpoint`, `layers` layers deep, with random weights, biases and norms included."""
    tiny = open_checkpoint(str(checkpoint)).load_model(dtype=torch.float32)
    config = tiny.config.to_dict()
    text = {name: value for name, value in config["text_config"].items() if name != "layer_types"}
    config["text_config"] = text | {"num_hidden_layers": layers}
    torch.manual_seed(0)
    model = type(tiny)._from_config(type(tiny.config)(**config), attn_implementation=attention)
    for name, parameter in model.named_parameters():
        if name.endswith(("bias", "norm.weight", "layernorm.weight")):
            torch.nn.init.normal_(parameter, mean=float(name.endswith("weight")), std=0.2)
    return model.to(dtype).eval()


def adapt(model: PreTrainedModel, *, seed: int = 1, **settings: Any) -> PeftModel:
    """`model` with LoRA that matters on the language tower's linear layers; `settings` are PEFT's."""
    names = settings.pop("names", "q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj")
    targets = rf".*\.(language_model|text_model)\..*\.({names})"
    config = LoraConfig(**({"r": 4, "lora_alpha": 8, "target_modules": targets} | settings))
    adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    set_lora(adapted, seed=seed)
    return adapted.eval()


@torch.no_grad()
def set_lora(model: torch.nn.Module, *, seed: int) -> None:
    """Other weights of LoRA, in place."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.03)


class Places(DynamicLayer):
    """One layer's keys and values (rows, heads, length, width) in places that do not move."""

    def __init__(self, read: Any, length: int) -> None:
        super().__init__()
        rows, heads, tokens, width = read.keys.shape
        self.keys, self.values = read.keys.new_zeros(2, rows, heads, length, width)
        self.keys[:, :, :tokens], self.values[:, :, :tokens] = read.keys, read.values
        self.at, self.is_initialized = torch.tensor([tokens]), True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        self.keys.index_copy_(2, self.at, key_states)
        self.values.index_copy_(2, self.at, value_states)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return 0


def stock_step(model: PreTrainedModel) -> Step:
    """The language tower's own forward as a step."""

    def step(ids: torch.Tensor, positions: torch.Tensor, cache: Cache, mask: torch.Tensor | None) -> torch.Tensor:
        tower = model.get_decoder()
        read = tower(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True)
        return read.last_hidden_state[:, -1]

    return step


class Prompts:
    """The prompts, read by `model`; `step` takes it from there."""

    @torch.no_grad()
    def __init__(self, model: PreTrainedModel, *, rows: slice = slice(None)) -> None:
        self.model = model
        width = max(LENGTHS)
        padding = torch.stack([torch.arange(width) >= width - length for length in LENGTHS])
        ids = torch.arange(padding.numel()).view_as(padding) % 97 + 3
        self.positions = (torch.arange(width) - (width - torch.tensor(LENGTHS))[:, None]).clamp(min=0)
        if hasattr(model.base_model, "get_rope_index"):
            self.positions = torch.stack([self.positions, self.positions + 3, self.positions * 2])
        self.positions, self.padding = self.positions[..., rows, :], padding[rows]
        self.read = DynamicCache(config=model.get_decoder().config)
        model.get_decoder()(
            input_ids=ids[rows],
            attention_mask=self.padding.long(),
            position_ids=self.positions,
            past_key_values=self.read,
            use_cache=True,
        )

    @torch.no_grad()
    def decode(self, step: Step, *, forced: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (tokens, rows, vocabulary) and the tokens (tokens, rows) chosen greedily, or `forced`."""
        cache = self.cache()
        logits, chosen = [], [torch.arange(len(self.padding)) + 5]
        for number in range(TOKENS):
            logits.append(step_once(self, step, cache, chosen[-1], number))
            chosen.append(logits[-1].argmax(-1) if forced is None else forced[number])
        return torch.stack(logits), torch.stack(chosen[1:])

    def cache(self) -> Cache:
        """The prompts' keys and values in places that do not move."""
        return Cache(layers=[Places(layer, self.padding.shape[1] + TOKENS) for layer in self.read.layers])


@torch.no_grad()
def step_once(prompts: Prompts, step: Step, cache: Cache, tokens: torch.Tensor, number: int) -> torch.Tensor:
    """Logits (rows, vocabulary) after the `number`th of the `tokens` behind the prompts."""
    rows, width = prompts.padding.shape
    mask = torch.zeros(rows, 1, 1, width + TOKENS, dtype=torch.bool)
    mask[:, 0, 0, :width] = prompts.padding
    mask[..., width : width + number + 1] = True
    for layer in cache.layers:
        layer.at.fill_(width + number)
    hidden = step(tokens[:, None], prompts.positions[..., -1:] + 1 + number, cache, mask)
    logits: torch.Tensor = prompts.model.get_output_embeddings()(hidden)
    return logits.float()
