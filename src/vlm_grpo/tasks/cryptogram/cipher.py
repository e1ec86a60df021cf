"""The cipher: a shuffled alphabet, messages under it, and which split a message or a mapping belongs to.

A message is lower-case words with single spaces. Written out for a model, its letters stand apart and `_` stands for a
space ("cat dog" is "c a t _ d o g"), so that no tokenizer joins them. A mapping is the plain alphabet in the order of
the code letters: "qa..." says that `a` stands for `q`. A hash assigns every message and every mapping to a split.
"""

import hashlib
import random
import re
import string

ALPHABET = string.ascii_lowercase
SPACE = "_"
"""What stands for a space in a message whose letters stand apart."""
POOLS = ("train", "validation", "test")

_HELD_OUT = {0: "validation", 1: "test"}
_POOL_MODULUS = 8
_MESSAGE = re.compile("[a-z]+(?: [a-z]+)*")


def is_message(text: str) -> bool:
    """Whether `text` is lower-case words with single spaces between them."""
    return _MESSAGE.fullmatch(text) is not None


def draw_mapping(rng: random.Random, alphabet: str = ALPHABET) -> str:
    """A uniformly drawn mapping of `alphabet` onto itself; a letter may stand for itself."""
    return "".join(rng.sample(alphabet, len(alphabet)))


def decode(code: str, mapping: str, alphabet: str = ALPHABET) -> str:
    """The message behind `code`."""
    return code.translate(str.maketrans(alphabet, mapping))


def encode(message: str, mapping: str, alphabet: str = ALPHABET) -> str:
    """`message` in code: `decode` turned round."""
    return message.translate(str.maketrans(mapping, alphabet))


def spaced(message: str) -> str:
    """`message` with its letters apart: "cat dog" is "c a t _ d o g"."""
    return " ".join(message.replace(" ", SPACE))


def pool_of(text: str) -> str:
    """The pool ("train", "validation" or "test") of a message or mapping: one in eight for each held-out pool."""
    digest = hashlib.sha256(f"cryptogram {text}".encode()).digest()
    return _HELD_OUT.get(digest[0] % _POOL_MODULUS, "train")
