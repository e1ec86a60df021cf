"""How many completions may pass at once before the activations they leave for the backward pass outgrow the GPU.

Nothing is estimated from the model's shape: the pass over the prompts has just shown what one token costs, and the
completions' tokens cost the same, plus the longer keys they look at. Where not all fit they pass in chunks that share
the prompt; a chunk's activations are recomputed in the backward pass, so only one chunk's exist at a time.

Left out: machines without a CUDA device, where the operating system decides what fits; set the number by hand there.
"""

LONGER_KEYS = 1.5
"""A completion token's activations over a prompt token's: it keeps its copy of the prompt's keys and values too."""
USABLE = 0.8
"""Share of the free memory that activations may take; the rest is for the output layer and the backward pass."""


def rows_at_once(rows: int, *, tokens_per_row: int, bytes_per_token: float, free: int | None) -> int:
    """How many of `rows` completions of `tokens_per_row` tokens fit into `free` bytes: at least 1, at most all.

    `bytes_per_token` is what a prompt token's activations took.
    """
    needed = tokens_per_row * bytes_per_token * LONGER_KEYS
    if free is None or needed <= 0:
        return rows
    return max(1, min(rows, int(USABLE * free / needed)))
