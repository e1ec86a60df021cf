"""The virtual tokens of a soft prompt, and where they stand in a batch.

They stand in `input_ids` as `VIRTUAL`, which is no token's id, before each row's first real token and behind its
padding. So the model's own forward counts positions (Qwen's three rows of them too) and puts the pictures in, and only
the look-up of the input embedding is changed (`vlm_grpo.adapters.substitution`). PEFT hands the model `inputs_embeds`
instead, from which no family can tell where a picture stands; Qwen2.5-VL of the study's transformers then left it out.
"""

from typing import Any

VIRTUAL = -1
FILLS = {"input_ids": VIRTUAL, "attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 0, "labels": -100}
"""What each field (B, L) of a batch holds at a virtual token: attended to, text, and nothing to learn."""


def insert(batch: Any, count: int) -> Any:
    """`batch` with `count` virtual tokens in each row, whose fields of `FILLS` are then (B, `count` + L).

    A row's padding may be on either side. The fields are replaced in `batch`, which is returned; others stay.
    """
    if count == 0:
        return batch
    mask = batch["attention_mask"]
    first = mask.argmax(dim=1, keepdim=True)
    place = mask.new_ones((len(mask), count + mask.shape[1])).cumsum(dim=1) - 1
    is_virtual = (place >= first) & (place < first + count)
    source = place.where(place < first, place - count).clamp(min=0)
    for name, fill in FILLS.items():
        if name in batch:
            batch[name] = batch[name].gather(1, source).masked_fill(is_virtual, fill)
    return batch
