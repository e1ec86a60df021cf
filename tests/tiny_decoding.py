"""Tiny models with LoRA that matters, a batch of unequal prompts, and both ways of decoding it.

On the device `VLM_GRPO_TEST_DEVICE`: on "cuda" steps are captured, elsewhere a stand-in records them.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from recorded_ops import record
from tiny_grpo import DEVICE, LONG, LORA_SCALE, PICTURES, SHORT
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.decoding.capture import capture
from vlm_grpo.decoding.choosing import default_generator
from vlm_grpo.decoding.engine import Engine
from vlm_grpo.decoding.pictures import by_row, counts_of
from vlm_grpo.decoding.prompts import distinct_prompts
from vlm_grpo.decoding.step import Step, tower_step

FAMILIES = ("tiny_qwen", "tiny_smolvlm", "tiny_internvl")
RECORD = record if DEVICE == "cpu" else capture
on_a_cpu = pytest.mark.skipif(DEVICE != "cpu", reason="counts what Python runs, or fails where a graph is captured")
ASKED = ((SHORT, [0]), (LONG, [1, 2]), (LONG, []), (SHORT, [3]))
"""Questions and the numbers of their pictures: one, several and none."""


@dataclass(frozen=True)
class Decoded:
    """Tokens (rows, prompt + completion) and the state of the generator behind them."""

    tokens: torch.Tensor
    generator: torch.Tensor


class Bench:
    """A model and its prompts."""

    def __init__(self, folder: Path, *, attention: str = "sdpa") -> None:
        checkpoint = open_checkpoint(str(folder))
        self.adapter, self.processor = checkpoint.adapter, checkpoint.load_processor()
        lora = LoraConfig(r=4, lora_alpha=8, target_modules=checkpoint.adapter.lora_targets)
        model = checkpoint.load_model(dtype=torch.float32, device=DEVICE, attention=attention)
        self.policy = get_peft_model(model, lora).eval()
        self.model = self.policy.get_base_model()
        self.prompts = len(ASKED)
        self.move_lora(seed=5)

    def move_lora(self, *, seed: int) -> None:
        """Other weights at the same addresses, as an optimiser's step leaves them."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.policy.named_parameters():
            if "lora_B" in name:
                parameter.data.copy_(torch.empty(parameter.shape).normal_(std=LORA_SCALE, generator=generator))

    def engine(self, *, watch: list[int] | None = None, **settings: Any) -> Engine:
        """An engine for the model; `watch` receives the rows of each step that Python runs."""

        def watched(model: Any) -> Step:
            step = tower_step(model)

            def count(ids: torch.Tensor, *rest: Any) -> torch.Tensor:
                watch.append(len(ids))
                return step(ids, *rest)

            return count

        return Engine(self.model, **settings, **({} if watch is None else {"build_step": watched}))

    def tokens(
        self,
        engine: Engine | None,
        *,
        only: int | None = None,
        times: int = 1,
        shared: bool = False,
        seed: int = 3,
        **settings: Any,
    ) -> Decoded:
        """Decode each prompt (or only the first few) `times` times by `engine`, None: by transformers' generate.

        `shared` tells the engine which rows share a prompt.
        """
        asked = [question for question in ASKED[:only] for _ in range(times)]
        pictures = [[PICTURES[number] for number in numbers] for _, numbers in asked]
        texts = [self._text(text, len(shown)) for text, shown in asked]
        inputs = self.adapter.encode(self.processor, texts, pictures).to(DEVICE)
        torch.manual_seed(seed)
        how: Any = nullcontext()
        generate: Callable[..., torch.Tensor] = self.policy.generate
        if engine is not None and shared:
            rows = [row[kept.bool()].tolist() for row, kept in zip(*_ids(inputs), strict=True)]
            counts = [len(of_row) for of_row in pictures]
            placeholder = self.model.config.image_token_id
            shown = by_row(inputs, counts_of(rows, inputs.get("pixel_values"), counts, placeholder=placeholder))
            how = engine.in_place_of_generate(distinct_prompts(rows, shown.are_equal), shown)
        elif engine is not None:
            generate = engine.generate
        with how:
            tokens = generate(**inputs, use_cache=True, **settings)
        return Decoded(tokens, default_generator(self.model.device).get_state())

    def _text(self, text: str, pictures: int) -> str:
        content = [*({"type": "image"} for _ in range(pictures)), {"type": "text", "text": text}]
        turn = [{"role": "user", "content": content}]
        rendered: str = self.processor.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        return rendered


def _ids(inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return inputs["input_ids"], inputs["attention_mask"]
