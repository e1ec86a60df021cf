"""Do two models say the same? A probe batch, its logits, and how far apart two sets of logits are."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from transformers import PreTrainedModel

from vlm_grpo import prompts
from vlm_grpo.adapters.base import Adapter

SIDE = 112
CONTINUATION = 32
PROBLEM = "Is the following statement true: The bright corner is above the dark one."


@dataclass(frozen=True)
class LogitDifference:
    """How far logits (B, L, V) are from the reference's.

    Attributes:
        max: largest absolute difference.
        mean: mean absolute difference.
        relative: `mean` over the standard deviation of the reference's logits.
        argmax_agreement: share of positions at which both rank the same token first.
    """

    max: float
    mean: float
    relative: float
    argmax_agreement: float

    def as_dict(self) -> dict[str, float]:
        """For a manifest."""
        return asdict(self)


def encode(adapter: Adapter, processor: Any) -> Any:
    """One picture with a gradient and one question about it, as model inputs."""
    ramp = bytes(range(0, 2 * SIDE, 2))
    gradient = Image.frombytes("L", (SIDE, SIDE), ramp * SIDE)
    picture = Image.merge("RGB", (gradient, gradient.rotate(90), gradient.rotate(180)))
    text = processor.apply_chat_template(
        prompts.messages("reason", PROBLEM, images=1), add_generation_prompt=True, tokenize=False
    )
    return adapter.encode(processor, [text], [[picture]])


@torch.inference_mode()
def extend(model: PreTrainedModel, inputs: Any, *, never: list[int]) -> Any:
    """`inputs` with `model`'s own greedy continuation of up to 32 tokens appended: where it is going to be used.

    `never` are the ids that stand for pictures: one in the continuation would ask for a picture that is not there.
    """
    inputs = inputs.to(model.device)
    tokens = model.generate(
        **inputs, do_sample=False, max_new_tokens=CONTINUATION, use_cache=False, suppress_tokens=never or None
    )
    extended = dict(inputs)
    extra = tokens.shape[1] - inputs["input_ids"].shape[1]
    extended["input_ids"] = tokens
    for name in ("attention_mask", "mm_token_type_ids"):
        if name in extended:
            fill = extended[name].new_full((len(tokens), extra), 1 if name == "attention_mask" else 0)
            extended[name] = torch.cat([extended[name], fill], dim=1)
    return extended


@torch.inference_mode()
def logits(model: PreTrainedModel, inputs: Any) -> torch.Tensor:
    """Logits (B, L, V) in float32 on the CPU."""
    return model(**inputs, use_cache=False).logits.float().cpu()


def compare(measured: torch.Tensor, reference: torch.Tensor) -> LogitDifference:
    """How far `measured` is from `reference`, both (B, L, V)."""
    distance = (measured - reference).abs()
    return LogitDifference(
        max=distance.max().item(),
        mean=distance.mean().item(),
        relative=(distance.mean() / reference.std()).item(),
        argmax_agreement=(measured.argmax(-1) == reference.argmax(-1)).float().mean().item(),
    )
