"""How well the label can be told from the picture alone: a small convolutional network, seeded, seconds on a CPU.

What it finds on rows that it was not fitted on is there to be found without the question: a cue, or a leak. A network
of this size sees colours, corners and frames, and no relations of objects.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from vlm_grpo.bias.probe.parts import Part
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row

NAME = "picture"
SIZE = 32
EPOCHS = 12
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2


class ImageProbe:
    """Fitted by `fit`; `predict` gives a label for each row, from its first picture."""

    def __init__(self, root: Path, *, seed: int) -> None:
        self._root = root
        self._seed = seed
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self._network = nn.Sequential(
                nn.Conv2d(3, 16, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Linear(32 * (SIZE // 4) ** 2, 1),
            )

    def fit(self, part: Part) -> None:
        """Minimise the logistic loss on `part` with AdamW, in batches of a seeded order."""
        pixels, labels = self._pixels(part.rows), torch.from_numpy(part.labels).float()
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        generator = torch.Generator().manual_seed(self._seed)
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(pixels), generator=generator).split(BATCH):
                loss = nn.functional.binary_cross_entropy_with_logits(
                    self._network(pixels[batch]).squeeze(1), labels[batch]
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    @torch.no_grad()
    def predict(self, part: Part) -> np.ndarray:
        """Bool of shape (rows,)."""
        logits = [self._network(batch).squeeze(1) for batch in self._pixels(part.rows).split(BATCH)]
        return (torch.cat(logits) > 0).numpy()

    def _pixels(self, rows: list[Row]) -> torch.Tensor:
        """Float of shape (rows, 3, SIZE, SIZE), in [-1, 1]."""
        small = np.stack([_small(open_picture(self._root, row.images[0])) for row in rows])
        return torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1


def _small(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX))
