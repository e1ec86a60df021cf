"""How a checkpoint's completions end, and which of its own generation settings are put aside.

Here is the one place that decides the end tokens: rollouts, evaluation and the merged checkpoint all ask it. They are
the union of what `generation_config.json` names, the tokenizer's own, and the token with which the chat template closes
the assistant's turn; a checkpoint may lack any two of these. Nothing else of `generation_config.json` counts: a policy
is sampled from, or decoded greedily, as the run's own settings say (a `repetition_penalty` or a `min_p` that travels
with the weights would make rollouts samples of another distribution than the one that is trained).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from vlm_grpo.adapters.files import read_json
from vlm_grpo.errors import UserError
from vlm_grpo.store import atomic

FILE = "generation_config.json"
IDS = ("bos_token_id", "pad_token_id", "eos_token_id")
OF_THE_RUN = ("do_sample", "max_length", "max_new_tokens", "use_cache")
"""What a run's own settings always decide, whatever a checkpoint says: not worth telling."""
NEUTRAL: Mapping[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "num_beams": 1,
    "num_return_sequences": 1,
    "repetition_penalty": 1.0,
}
TURN = [
    {"role": "user", "content": [{"type": "text", "text": "question"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "reply"}]},
]


def plain_generation(checkpoint: Path) -> GenerationConfig:
    """Generation settings with the special tokens that the `checkpoint` names, and nothing else of its own.

    `UserError` where it names one by anything but its id.
    """
    own = read_json(checkpoint / FILE) or read_json(checkpoint / "config.json")
    ids = {name: own.get(name) for name in IDS}
    for name, value in ids.items():
        check_ids(value, where=f"{checkpoint / FILE}: {name}")
    return GenerationConfig(**(ids | {"eos_token_id": as_list(ids["eos_token_id"]) or None}))


def check_ids(value: Any, *, where: str) -> None:
    """`UserError`, opened by `where`, unless `value` is a token's id, a list of ids, or None."""
    if not all(type(number) is int and number >= 0 for number in as_list(value)):
        raise UserError(f"{where} is {value!r}, expected a token's id, or a list of ids")


def put_aside(checkpoint: Path) -> dict[str, Any]:
    """The generation settings of the `checkpoint` that would change what it says, and do not count here."""
    return {
        name: value
        for name, value in read_json(checkpoint / FILE).items()
        if name not in (*IDS, *OF_THE_RUN, "transformers_version", "_from_model_config")
        and value is not None
        and value is not False
        and value != NEUTRAL.get(name)
    }


def end_tokens(own: GenerationConfig, processor: Any, *, more: Any = None) -> list[int]:
    """Ids that end a completion, each once: those of `own`, the tokenizer's, the chat template's, and `more` (an id or
    a list of them, such as the user's)."""
    tokenizer = processor.tokenizer
    ids = [*as_list(own.eos_token_id), *as_list(tokenizer.eos_token_id), *_turn_end(processor), *as_list(more)]
    return list(dict.fromkeys(ids))


def complete_end_tokens(checkpoint: Path, processor: Any) -> None:
    """Let the generation settings of the `checkpoint` name all of its end tokens, where they do not."""
    written = read_json(checkpoint / FILE)
    ids = end_tokens(plain_generation(checkpoint), processor)
    if set(ids) != set(as_list(written.get("eos_token_id"))):
        atomic.write_json(checkpoint / FILE, written | {"eos_token_id": ids})


def named(ids: Iterable[int], processor: Any) -> str:
    """`ids` for people: each token with its id."""
    return ", ".join(f"{processor.tokenizer.convert_ids_to_tokens(number) or 'no token'} ({number})" for number in ids)


def aside_in_words(checkpoint: Path) -> str:
    """One line on what is put aside; empty where nothing is."""
    aside = ", ".join(f"{name} {value}" for name, value in put_aside(checkpoint).items())
    return f"put aside of the checkpoint's {FILE}: {aside}" if aside else ""


def _turn_end(processor: Any) -> list[int]:
    """The special token right behind the assistant's words in the chat template, if there is one."""
    text: str = processor.apply_chat_template(TURN, add_generation_prompt=False, tokenize=False)
    _, reply, behind = text.rpartition(TURN[1]["content"][0]["text"])  # type: ignore[index]
    ids = processor.tokenizer(behind.lstrip(), add_special_tokens=False)["input_ids"] if reply else []
    return [ids[0]] if ids and ids[0] in _special_ids(processor.tokenizer) else []


def _special_ids(tokenizer: Any) -> set[int]:
    return {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}


def as_list(ids: Any) -> list[int]:
    """`ids`, one or a list of them or None, as a list."""
    if ids is None:
        return []
    return list(ids) if isinstance(ids, list | tuple) else [ids]
