"""What is known of judge models: prices and last day of service (from a file), and which ones reason."""

import re
from datetime import date
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vlm_grpo.errors import UserError

FILE = Path(__file__).with_name("models.yaml")
_REASONING = re.compile(r"^(o\d|gpt-[5-9])")


class ModelFacts(BaseModel):
    """US dollars per million tokens and last day of service of one model."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    batch_factor: float = Field(1.0, gt=0)
    shutdown: date | None = None


def load(path: Path = FILE) -> dict[str, ModelFacts]:
    """Read the price file."""
    if not path.exists():
        raise UserError(f"{path} does not exist; name the price file with --models")
    try:
        return {name: ModelFacts.model_validate(entry) for name, entry in yaml.safe_load(path.read_text()).items()}
    except (ValidationError, yaml.YAMLError, AttributeError) as error:
        raise UserError(f"{path}: not a price file ({str(error).splitlines()[0]})") from None


def is_reasoning(model: str) -> bool:
    """Whether OpenAI's naming makes `model` a reasoning model (o-series, GPT-5 and later)."""
    return bool(_REASONING.match(model.rpartition("/")[2]))
