"""Prefill each distinct prompt once and decode its completions from the repeated KV cache.

`generate` stays transformers' own: only its prefill is narrowed to the distinct prompts and its result repeated. The
sampling loop, its batch and its draws from the random generator are the stock ones, so the same seed gives the same
completions, up to a draw that falls within rounding of the border between two tokens.

Left out: rollouts without a KV cache, which read the whole prompt at every token anyway.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from vlm_grpo.methods.fast.groups import DistinctPrompts
from vlm_grpo.methods.fast.pictures import FIELDS, Pictures

ENCODED = "mm_encoder_outputs"


@contextmanager
def shared_prefill(model: PreTrainedModel, distinct: DistinctPrompts, pictures: Pictures) -> Iterator[None]:
    """Within the context `model.generate` prefills only the rows `distinct.first` of the batch it is given."""
    stock = model._prefill
    rows = len(distinct.of_row)

    def prefill(
        input_ids: torch.Tensor, generation_config: Any, model_kwargs: dict[str, Any], **settings: Any
    ) -> ModelOutput:
        narrowed = {name: _narrow(name, value, rows, distinct.first, pictures) for name, value in model_kwargs.items()}
        narrowed |= pictures.narrow(distinct.first) if "pixel_values" in model_kwargs else {}
        outputs = stock(input_ids[distinct.first], generation_config, narrowed, **settings)
        of_row = torch.tensor(distinct.of_row, device=input_ids.device)
        outputs.logits = outputs.logits[of_row]
        outputs.past_key_values.batch_select_indices(of_row)
        return outputs

    model._prefill = prefill
    try:
        yield
    finally:
        del model._prefill


def _narrow(name: str, value: Any, rows: int, first: list[int], pictures: Pictures) -> Any:
    if name == ENCODED and value.get("image") is not None:
        return value | {"image": _narrow_features(value["image"], first, pictures)}
    if name in FIELDS or not isinstance(value, torch.Tensor) or value.ndim < 2:
        return value
    if value.shape[-2] == rows:
        return value[..., first, :]
    return value


def _narrow_features(image: ModelOutput, first: list[int], pictures: Pictures) -> ModelOutput:
    """Features come one entry a picture in Qwen's layout and one a row in Idefics3's."""
    chosen = (
        [i for row in first for i in range(len(image.pooler_output))[pictures.images[row]]]
        if pictures.images
        else first
    )
    kept = {"pooler_output": [image.pooler_output[i] for i in chosen]}
    deepstack = getattr(image, "deepstack_features", None)
    if deepstack is not None:
        kept["deepstack_features"] = [[layer[i] for i in chosen] for layer in deepstack]
    return type(image)(**kept)
