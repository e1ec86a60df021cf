"""How rollouts are generated: samples of the policy and of nothing else.

The family's overrides, the KV cache, the tokens that end a completion and those it must never contain are settled here;
what the user gives as `generation_kwargs` comes on top. The checkpoint's own generation settings do not count
(`adapters/generation.py`).
"""

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from types import SimpleNamespace
from typing import Any

from transformers import GenerationConfig, PreTrainedModel

from vlm_grpo.adapters import generation
from vlm_grpo.adapters.base import Adapter
from vlm_grpo.decoding.cache_choice import choose_cache
from vlm_grpo.errors import UserError
from vlm_grpo.methods.inputs import TrainingInputs
from vlm_grpo.ranges import AT_LEAST_0, POSITIVE, SHARE, SHARE_ABOVE_0, SHARE_BELOW_1, Range, check_numbers
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.tasks.asking import render
from vlm_grpo.tasks.view import views

PARITY_ROWS = 4
VLLM_NEVER = -100.0
UNITED = ("suppress_tokens", "stop_token_ids")
"""Settings of which the user's tokens join ours."""
NOT_OF_ROLLOUTS = {
    "max_new_tokens": "max_completion_length says how long a completion may be",
    "max_length": "max_completion_length says how long a completion may be",
    "use_cache": "rollout_cache says whether rollouts use the KV cache",
    "do_sample": "rollouts are sampled",
    "temperature": "the setting temperature says it, for rollouts and for the log-probabilities that are learnt from",
    "cache_implementation": "the setting of that name says it",
    "num_return_sequences": "num_generations says how many completions a prompt gets",
    "num_beams": "rollouts are sampled, not searched",
    "stop_strings": "the trainer reads tokens; give eos_token_id",
    "return_dict_in_generate": "the trainer reads tokens",
    "guidance_scale": "it changes what is sampled to what no policy gives",
    **dict.fromkeys(
        ("assistant_early_exit", "prompt_lookup_num_tokens", "dola_layers", "token_healing", "compile_config"),
        "rollouts are generated in batches, token by token, by the policy alone",
    ),
}
RANGES: Mapping[str, Range] = {
    "top_k": AT_LEAST_0,
    "min_p": SHARE,
    **dict.fromkeys(("top_p", "typical_p"), SHARE_ABOVE_0),
    **dict.fromkeys(("epsilon_cutoff", "eta_cutoff"), SHARE_BELOW_1),
    **dict.fromkeys(("repetition_penalty", "encoder_repetition_penalty", "max_time"), POSITIVE),
    **dict.fromkeys(
        ("min_length", "min_new_tokens", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size"), AT_LEAST_0
    ),
}
"""Of numbers in `generation_kwargs`; others transformers refuses in the first step, or passes over."""


def check_generation_kwargs(user: dict[str, Any] | None, *, use_vllm: bool = False) -> None:
    """`UserError` for a setting of the `user`'s that `generate` does not know, or that rollouts cannot have.

    vLLM has settings of its own, and refuses what it does not know: there only the temperature is looked at.
    """
    if not isinstance(user, dict | None):
        raise UserError(f"generation_kwargs: {user!r} are no settings; give names with their values")
    if use_vllm:
        user = {name: value for name, value in (user or {}).items() if name == "temperature"}
    known = [name for name in vars(GenerationConfig()) if not name.startswith("_")]
    for name in user or {}:
        if name in NOT_OF_ROLLOUTS:
            raise UserError(f"generation_kwargs: {name!r} cannot be given: {NOT_OF_ROLLOUTS[name]}; remove it")
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; see transformers' GenerationConfig"
            raise UserError(f"generation_kwargs: unknown setting {name!r}{hint}")
        if name in ("eos_token_id", *UNITED):
            generation.check_ids((user or {})[name], where=f"generation_kwargs: {name}")
    try:
        check_numbers(SimpleNamespace(**(user or {})), RANGES)
    except UserError as error:
        raise UserError(f"generation_kwargs: {error}") from None


def check_in_vocabulary(user: dict[str, Any] | None, *, tokens: int) -> None:
    """`UserError` for an id in the `user`'s generation settings that a vocabulary of so many `tokens` has not."""
    for name in ("eos_token_id", *UNITED):
        for number in generation.as_list((user or {}).get(name)):
            if number >= tokens:
                raise UserError(
                    f"generation_kwargs: {name}: the model has no token {number}; its ids end at {tokens - 1}"
                )


def settle_end_tokens(model: PreTrainedModel, processor: Any, *, user: dict[str, Any] | None) -> list[int]:
    """The ids that end a completion, the `user`'s `eos_token_id` among them; `model` has them from here on."""
    ends = generation.end_tokens(model.generation_config, processor, more=(user or {}).get("eos_token_id"))
    model.generation_config.eos_token_id = ends
    return ends


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


def vllm_settings(*, processor: Any, inputs: TrainingInputs, ends: list[int]) -> dict[str, Any]:
    """Sampling parameters of vLLM for the rollouts: the same tokens end one, the same are suppressed, by a low bias."""
    never = inputs.base.adapter.placeholder_ids(processor.tokenizer)
    return {"logit_bias": dict.fromkeys(never, VLLM_NEVER), "stop_token_ids": ends}


def with_the_users(sampling: dict[str, Any], user: dict[str, Any] | None) -> dict[str, Any]:
    """Ours under the `user`'s `generation_kwargs`; end tokens and suppressed ones are united."""
    merged = (user or {}) | sampling
    for name in UNITED:
        if name in sampling:
            merged[name] = list(dict.fromkeys([*sampling[name], *generation.as_list((user or {}).get(name))]))
    merged.pop("eos_token_id", None)
    return merged


def tell_decoding(inputs: TrainingInputs, processor: Any, ends: list[int]) -> None:
    """Say on stderr what ends a completion, and what of the checkpoint's generation settings does not count."""
    lines = [f"a completion ends at {generation.named(ends, processor)}", generation.aside_in_words(inputs.base.path)]
    for line in filter(None, lines):
        print(line, file=sys.stderr, flush=True)


def _batch(processor: Any, inputs: TrainingInputs, prompt: str) -> Any:
    rows = inputs.data.rows[:PARITY_ROWS]
    seen = views(rows, root=inputs.data.root, adapter=inputs.base.adapter, processor=processor)
    texts = [asked.text for asked in render(rows, processor, template=prompt, views=seen)]
    pictures = [[open_picture(inputs.data.root, name) for name in row.images] for row in rows]
    return inputs.base.adapter.encode(processor, texts, pictures)
