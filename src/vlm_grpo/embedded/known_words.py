"""Start a new model from a shipped one of the same sizes: its weights, and what it knows of the new tokenizer's words.

A word that both know keeps its rows of the embedding and of the output layer; one that is only called differently takes
the other's; any other starts as the mean of the pieces that the shipped tokenizer makes of it.
"""

from collections.abc import Mapping

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from vlm_grpo.adapters.checkpoint import shipped_folder
from vlm_grpo.embedded.family import FamilyBuild

EMBEDDING, OUTPUT = "model.language_model.embed_tokens.weight", "lm_head.weight"


def start_from(built: FamilyBuild, family: str, *, same: Mapping[str, str]) -> None:
    """Put the weights of the shipped `family` into `built`; `same` maps a word to that which it is for the other."""
    folder = shipped_folder(family)
    shipped = {name: weight.float() for name, weight in load_file(folder / "model.safetensors").items()}
    known = AutoTokenizer.from_pretrained(folder)
    pieces = [_pieces(known, built.tokenizer.decode([at]), same) for at in range(len(built.tokenizer))]
    for name in (EMBEDDING, OUTPUT):
        shipped[name] = torch.stack([shipped[name][its].mean(0) for its in pieces])
    built.model.load_state_dict(shipped)


def _pieces(known: AutoTokenizer, word: str, same: Mapping[str, str]) -> list[int]:
    bare = word.strip()
    return known(word.replace(bare, same[bare]) if bare in same else word)["input_ids"]
