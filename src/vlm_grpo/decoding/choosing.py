"""Choose each row's next token as transformers' `generate` does, draw for draw.

The processors, the softmax, the draw from the device's default generator over the whole batch, the padding of rows
that ended and the stopping criteria are those of `GenerationMixin._sample`; what differs is when the host looks. It
waits for the device every few tokens only, so it may notice late that every row has ended: the tokens drawn since are
dropped, and the generator is set back to where `generate` would have left it. So does it notice numbers that no token
can be drawn from.
"""

from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList


class Choosing:
    """The rows of one batch, from their prompts (B, P) to at most the criteria's `max_length` tokens.

    `every` is after how many tokens the host looks which rows have ended. `active` are the rows that had not when it
    last looked.
    """

    def __init__(
        self,
        input_ids: torch.Tensor,
        processors: LogitsProcessorList,
        criteria: StoppingCriteriaList,
        config: GenerationConfig,
        *,
        every: int,
    ) -> None:
        rows, self.prompt = input_ids.shape
        self.limit: int = criteria.max_length
        self._processors, self._criteria, self._every = processors, criteria, every
        self._samples = config.do_sample
        self._pad = config._pad_token_tensor if any(hasattr(c, "eos_token_id") for c in criteria) else None
        self._tokens = input_ids.new_zeros(rows, self.limit)
        self._tokens[:, : self.prompt] = input_ids
        self._unfinished = torch.ones(rows, dtype=torch.long, device=input_ids.device)
        self._since: list[tuple[torch.Tensor, torch.Tensor | None]] = []
        self._is_drawable = torch.ones((), dtype=torch.bool, device=input_ids.device)
        self._generator = default_generator(input_ids.device)
        self.end = self.prompt
        self.active = torch.arange(rows, device=input_ids.device)

    @property
    def so_far(self) -> torch.Tensor:
        """(B, tokens) prompts and completions."""
        return self._tokens[:, : self.end]

    def choose(self, logits: torch.Tensor) -> torch.Tensor | None:
        """The next token (B,) from float32 `logits` (B, V), which may be changed; None when all rows have ended."""
        scores = self._processors(self.so_far, logits)
        chosen = self._draw(torch.softmax(scores, dim=-1)) if self._samples else scores.argmax(dim=-1)
        if self._pad is not None:
            chosen = chosen * self._unfinished + self._pad * (1 - self._unfinished)
        self._tokens[:, self.end] = chosen
        self.end += 1
        ended: Any = self._criteria(self.so_far, None)
        self._unfinished = self._unfinished & ~ended
        looks = self._every == 1 or len(self._since) + 1 == self._every or self.end == self.limit
        self._since.append((self._unfinished, None if looks or not self._samples else self._generator.get_state()))
        return None if looks and self._look() else chosen

    def _draw(self, probabilities: torch.Tensor) -> torch.Tensor:
        """A token of each row of (B, V), as `torch.multinomial` draws it, which would look at the device twice."""
        self._is_drawable &= ~probabilities[:, 0].isnan().any()
        return probabilities.div_(torch.empty_like(probabilities).exponential_()).argmax(dim=-1)

    def _look(self) -> bool:
        """Whether all rows have ended; drops what was drawn since."""
        if self._samples and not self._is_drawable:
            raise RuntimeError("logits are nan or infinite: no token can be drawn from them")
        states = torch.stack([unfinished for unfinished, _ in self._since])
        ended = (states.amax(dim=1) == 0).tolist()
        if not any(ended):
            self.active = self._unfinished.nonzero().squeeze(1)
            self._since.clear()
            return False
        late = len(ended) - 1 - ended.index(True)
        self.end -= late
        generator = self._since[ended.index(True)][1]
        if generator is not None:
            self._generator.set_state(generator)
        return True


def default_generator(device: torch.device) -> torch.Generator:
    """The generator that draws on `device` use where none is named."""
    if device.type != "cuda":
        return torch.default_generator
    return torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
