"""Prefill each distinct prompt of a batch once.

The forward is transformers' own (`_prefill`); its inputs are narrowed to the distinct prompts. `shared_prefill` gives
that to the stock `generate`, for what the engine leaves to it.

Left out: decoding without a KV cache, which reads the whole prompt at every token anyway.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel
from transformers.utils import ModelOutput

from vlm_grpo.adapters.renamed import cache_name
from vlm_grpo.decoding.pictures import FIELDS, Pictures
from vlm_grpo.decoding.prompts import DistinctPrompts

ENCODED = "mm_encoder_outputs"


def prefill(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    config: GenerationConfig,
    model_kwargs: dict[str, Any],
    *,
    distinct: DistinctPrompts,
    pictures: Pictures,
) -> ModelOutput:
    """Logits (N, 1, V) and KV cache of the N prompts at the rows `distinct.first` of `input_ids` (B, P)."""
    rows = len(distinct.of_row)
    narrowed = {name: _narrow(name, value, rows, distinct.first, pictures) for name, value in model_kwargs.items()}
    narrowed |= pictures.narrow(distinct.first) if "pixel_values" in model_kwargs else {}
    return model._prefill(input_ids[distinct.first], config, narrowed)


@contextmanager
def shared_prefill(model: PreTrainedModel, distinct: DistinctPrompts, pictures: Pictures) -> Iterator[None]:
    """Within the context `model._prefill` reads only the rows `distinct.first` of the batch it is given."""

    def repeated(input_ids: torch.Tensor, config: GenerationConfig, model_kwargs: dict[str, Any], **_: Any) -> Any:
        del model._prefill
        outputs = prefill(model, input_ids, config, model_kwargs, distinct=distinct, pictures=pictures)
        of_row = torch.tensor(distinct.of_row, device=input_ids.device)
        outputs.logits = outputs.logits[of_row]
        outputs[cache_name(model.forward)].batch_select_indices(of_row)
        return outputs

    model._prefill = repeated
    try:
        yield
    finally:
        vars(model).pop("_prefill", None)


def _narrow(name: str, value: Any, rows: int, first: list[int], pictures: Pictures) -> Any:
    if name == ENCODED and value.get("image") is not None:
        return value | {"image": _narrow_features(value["image"], first, pictures)}
    if name in FIELDS or not isinstance(value, torch.Tensor) or value.ndim < 2:
        return value
    if value.shape[-2] == rows:
        return value[..., first, :]
    return value


def _narrow_features(image: ModelOutput, first: list[int], pictures: Pictures) -> ModelOutput:
    """Features come one entry a picture in Qwen's layout, one a tile in InternVL's and one a row in Idefics3's."""
    chosen = (
        [i for row in first for i in range(len(image.pooler_output))[pictures.images[row]]]
        if pictures.images
        else first
    )
    pooled = image.pooler_output
    in_one = isinstance(pooled, torch.Tensor) and pictures.images
    kept = {"pooler_output": pooled[chosen] if in_one else [pooled[i] for i in chosen]}
    deepstack = getattr(image, "deepstack_features", None)
    if deepstack is not None:
        kept["deepstack_features"] = [[layer[i] for i in chosen] for layer in deepstack]
    return type(image)(**kept)
