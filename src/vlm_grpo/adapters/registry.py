"""The families known here, by `model_type`. A new family is one file, its import and one line in `FAMILIES`."""

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.internvl import INTERNVL
from vlm_grpo.adapters.qwen import QWEN
from vlm_grpo.adapters.smolvlm import SMOLVLM
from vlm_grpo.errors import UserError

FAMILIES = (
    QWEN,
    SMOLVLM,
    INTERNVL,
)


def for_model_type(model_type: str, *, where: str) -> Adapter:
    """The adapter that serves `model_type`; `where` names the checkpoint in the error."""
    for adapter in FAMILIES:
        if model_type in adapter.model_types:
            return adapter
        if model_type in adapter.foreign_types:
            raise UserError(
                f"{where}: model_type {model_type!r} runs code of its own, and only built-in models are run; "
                f"{adapter.foreign_types[model_type]}"
            )
    known = ", ".join(t for adapter in FAMILIES for t in adapter.model_types)
    raise UserError(f"{where}: unsupported model_type {model_type!r}; supported: {known}")
