"""What several tests of methods start: a short GRPO run of a random model."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tiny_data import save_tiny_data, tiny_rows

CONFIG = """
model: {model}
data: {data}
output_dir: {out}
num_generations: 4
per_device_train_batch_size: 8
max_completion_length: 8
learning_rate: 1e-2
beta: 0.0
loss_type: grpo
lora_dropout: 0.0
gradient_checkpointing: false
logging_steps: 1
save_strategy: "no"
seed: 3
"""


@pytest.fixture
def short_run(tiny_qwen: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """The words that start GRPO as `name`, with `more` lines of settings, for `steps` steps of two prompts."""
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(12, split="train"))

    def words(name: str, more: str, *, steps: int = 2) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(CONFIG.format(model=tiny_qwen, data=data, out=tmp_path / name) + more)
        return ["--config", str(path), "--max_steps", str(steps)]

    return words
