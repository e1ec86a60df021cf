"""Names that transformers is renaming, under whichever it has: 5.24 calls the KV cache `cache`, 5.23 `past_key_values`.

What TRL 1.16 and PEFT 0.21 still call by an old name they alone can change: its warnings, and no others, are silenced.
"""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

OF_OTHERS = ".*gradient_checkpointing.* is deprecated"
"""Matches the warnings about names that TRL and PEFT use."""


def hush_renamed() -> None:
    """Silence the warnings `OF_OTHERS` from here on, or for the length of a `warnings.catch_warnings()`."""
    warnings.filterwarnings("ignore", message=OF_OTHERS, category=FutureWarning)


def cache_name(forward: Callable[..., Any]) -> str:
    """What a model's `forward` calls the KV cache that it is given, and its output the one that it gives."""
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"
