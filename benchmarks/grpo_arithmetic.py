"""How many multiply-adds scoring and update need, prompts shared or not: the floor that a measured ratio can reach.

Counted: matrix products with the language tower's weights, attention's products, the output layer at the completions
and the vision tower, in a reference pass, a policy pass and its backward pass (with LoRA the backward pass multiplies
by each frozen weight once, as the forward pass does). Not counted: rollouts, element-wise work, overheads.
"""

from transformers import PreTrainedModel

LANGUAGE_PASSES = 3
"""Reference, policy, and the backward pass through frozen weights."""
VISION_PASSES = 2
"""Reference and policy; a frozen tower has no backward pass, and ours has the features from the rollout."""


def multiply_adds(
    model: PreTrainedModel, *, rows: int, prompts: int, prompt: int, completion: int, patches: int, shared: bool
) -> float:
    """Multiply-adds of `rows` completions (tokens each) to `prompts` prompts (tokens each) of `patches` each."""
    text = model.config.get_text_config()
    head = model.get_output_embeddings().weight.numel()
    tower = sum(p.numel() for name, p in model.named_parameters() if "layers." in name and not _is_vision(name))
    vision = sum(p.numel() for name, p in model.named_parameters() if _is_vision(name))

    def read(tokens: int, before: int) -> float:
        keys = tokens * before + tokens * (tokens + 1) / 2
        return tokens * tower + 2 * text.num_hidden_layers * text.hidden_size * keys

    language = rows * read(completion, prompt) + (prompts if shared else rows) * read(prompt, 0)
    encoded = 0 if shared else rows * patches * vision
    return LANGUAGE_PASSES * (language + rows * completion * head) + VISION_PASSES * encoded


def _is_vision(name: str) -> bool:
    return any(part in name for part in ("visual.", "vision_model.", "vision_tower.", "connector.", "projector."))
