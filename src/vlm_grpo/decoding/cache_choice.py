"""Whether `generate` uses the KV cache, decided openly.

`default` is what the family needs (off for SmolVLM, as in the study), `true` and `false` are the user's word, and
`auto` turns the cache on only after greedy decoding of one batch gave the same tokens with and without it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.decoding.engine import Engine
from vlm_grpo.decoding.serving import not_served
from vlm_grpo.errors import UserError

SETTINGS = ("default", "auto", "true", "false")
PROBE_TOKENS = 32

logger = logging.getLogger(__name__)


def choose_cache(
    setting: str | bool,
    *,
    model: PreTrainedModel,
    adapter: Adapter,
    batch: Callable[[], Any],
    never: Sequence[int] = (),
) -> bool:
    """Return the `use_cache` to generate with; `batch` makes encoded prompts (B, L) when `auto` needs them.

    `never` are token ids that decoding suppresses, as the run itself does.
    """
    setting = str(setting).lower()
    if setting not in SETTINGS:
        raise UserError(f"unknown use_cache {setting!r}; known: {', '.join(SETTINGS)}")
    if setting == "default":
        return bool(adapter.generation.get("use_cache", True))
    if setting != "auto":
        return setting == "true"
    equal = greedy_parity(model, batch(), never=never)
    logger.warning(
        "use_cache auto: greedy decoding with and without the KV cache gave %s tokens, so the cache is %s",
        "the same" if equal else "different",
        "on" if equal else "off",
    )
    return equal


@torch.inference_mode()
def greedy_parity(model: PreTrainedModel, batch: Any, *, never: Sequence[int] = ()) -> bool:
    """True when greedy decoding of `batch` gives the same tokens with the KV cache and without it.

    With it decodes what a run decodes with: the engine, or `generate` for a model that it does not serve.
    """
    inputs = batch.to(model.device)
    settings: dict[str, Any] = {
        "do_sample": False,
        "max_new_tokens": PROBE_TOKENS,
        "suppress_tokens": list(never) or None,
    }
    was_training = model.training
    model.eval()
    cached = model.generate if not_served(model) else Engine(model).generate
    with_cache = cached(**inputs, **settings, use_cache=True)
    without = model.generate(**inputs, **settings, use_cache=False)
    model.train(was_training)
    return torch.equal(with_cache, without)
