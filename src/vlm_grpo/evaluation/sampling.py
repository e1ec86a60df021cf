"""How the next token is chosen: greedily, or sampled with a random stream of its own for every row.

`generate` draws a whole batch from one stream, so a sampled answer would change with the batch size and after a resume.
Here sampling is greedy decoding of `logits / temperature + Gumbel noise` (the Gumbel-max trick: the same distribution),
and the noise of a row depends on the seed, the row's id and the position alone.
"""

import hashlib

import torch
from transformers import LogitsProcessor, LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper


class RowNoise(LogitsProcessor):
    """Add standard Gumbel noise to the scores (B, V) of one batch, each row from its own stream on its device."""

    def __init__(self, row_ids: list[str], *, seed: int, device: torch.device) -> None:
        self._streams = [torch.Generator(device).manual_seed(_stream_seed(seed, row)) for row in row_ids]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores with their noise; `input_ids` (B, L) are not looked at."""
        noise = torch.empty_like(scores, dtype=torch.float32)
        for row, stream in zip(noise, self._streams, strict=True):
            row.exponential_(generator=stream)
        return scores - noise.log()


def _stream_seed(seed: int, row_id: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{row_id}".encode()).digest()[:8], "big", signed=True)


def logits_processors(
    row_ids: list[str], *, temperature: float, top_p: float, seed: int, device: torch.device
) -> LogitsProcessorList:
    """What turns greedy decoding of the rows into sampling; empty at temperature 0."""
    if temperature == 0:
        return LogitsProcessorList()
    steps: list[LogitsProcessor] = [TemperatureLogitsWarper(float(temperature))]
    if top_p < 1:
        steps.append(TopPLogitsWarper(top_p))
    return LogitsProcessorList([*steps, RowNoise(row_ids, seed=seed, device=device)])
