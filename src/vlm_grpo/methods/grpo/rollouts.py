"""How rollouts are generated: the family's overrides, the KV cache, and tokens a completion must never contain."""

from typing import Any

from transformers import PreTrainedModel

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.cache import choose_cache
from vlm_grpo.methods.run import TrainingInputs
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.tasks.asking import render

PARITY_ROWS = 4
VLLM_NEVER = -100.0


def rollout_settings(
    use_cache: str, *, model: PreTrainedModel, processor: Any, inputs: TrainingInputs, prompt: str
) -> dict[str, Any]:
    """`generate` arguments for the rollouts.

    Tokens that stand for pictures are suppressed: one in a completion makes the picture's features fall out of step
    with its tokens in the next pass (TRL issue 3847).
    """
    adapter: Adapter = inputs.base.adapter
    never = adapter.placeholder_ids(processor.tokenizer)
    cache = choose_cache(
        use_cache, model=model, adapter=adapter, batch=lambda: _batch(processor, inputs, prompt), never=never
    )
    return {**adapter.generation, "use_cache": cache, "suppress_tokens": never}


def vllm_settings(*, processor: Any, inputs: TrainingInputs) -> dict[str, Any]:
    """Sampling parameters of vLLM for the rollouts: the same tokens suppressed, by the lowest bias it takes."""
    never = inputs.base.adapter.placeholder_ids(processor.tokenizer)
    return {"logit_bias": dict.fromkeys(never, VLLM_NEVER)}


def _batch(processor: Any, inputs: TrainingInputs, prompt: str) -> Any:
    rows = inputs.data.rows[:PARITY_ROWS]
    texts = [asked.text for asked in render(rows, processor, template=prompt)]
    pictures = [[open_picture(inputs.data.root, name) for name in row.images] for row in rows]
    return inputs.base.adapter.encode(processor, texts, pictures)
