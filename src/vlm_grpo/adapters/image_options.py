"""The settings of a command that decide how large a picture reaches the model, the same for training and evaluation.

They are what the families in `adapters/registry.py` offer; one that has no effect on the model's family is refused when
the checkpoint's processor is loaded.
"""

from dataclasses import field, make_dataclass
from types import SimpleNamespace
from typing import Any

from vlm_grpo.adapters.registry import FAMILIES
from vlm_grpo.ranges import AT_LEAST_1, check_numbers, wrong

OPTIONS = {name: (family, option) for family in FAMILIES for name, option in family.image_options.items()}


class _Named:
    """The options by name, for `Checkpoint.load_processor`; `UserError` for values that no picture has."""

    def __post_init__(self) -> None:
        check_numbers(SimpleNamespace(**self.image_options), dict.fromkeys(OPTIONS, AT_LEAST_1))
        for name, least in self.image_options.items():
            most = self.image_options.get(f"max_{name.removeprefix('min_')}")
            if name.startswith("min_") and least is not None and most is not None and least > most:
                raise wrong(name, f"{least} is more than max_{name.removeprefix('min_')} {most}; swap them")

    @property
    def image_options(self) -> dict[str, Any]:
        """Name -> value, None where it is not set."""
        return {name: getattr(self, name) for name in OPTIONS}


ImageOptions: Any = make_dataclass(
    "ImageOptions",
    [
        (name, option.kind | None, field(default=None, metadata={"help": f"{family.label}: {option.help}."}))
        for name, (family, option) in OPTIONS.items()
    ],
    bases=(_Named,),
    kw_only=True,
)
