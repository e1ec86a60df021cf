"""A trained LoRA adapter on disk, and the base it belongs to.

Training writes `base.json` (name and fingerprint of the base) beside the adapter's weights. An adapter on another base
loads without complaint and answers nonsense, so the fingerprint is checked before any weight is read. The adapter's
own tensors, a few megabytes, are looked at too: a training that died leaves NaNs. Whether they fit is told when they
are put on the base (`lora_fit.py`).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from safetensors import safe_open
from transformers import PreTrainedModel

from vlm_grpo.adapters import finite, intact, lora_fit
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint, weights_fingerprint
from vlm_grpo.adapters.derived import BASE
from vlm_grpo.adapters.files import read_json
from vlm_grpo.adapters.lora_fit import CONFIG, WEIGHTS
from vlm_grpo.adapters.renamed import hush_renamed
from vlm_grpo.errors import UserError


@dataclass(frozen=True)
class LoraAdapter:
    """A vetted adapter folder: `path` on disk and the checkpoint `base` it was trained on."""

    path: Path
    base: Checkpoint

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the adapter's configuration and samples of its weights."""
        return weights_fingerprint(self.path)

    @property
    def is_trained(self) -> bool:
        """Whether any of the weights that start at zero has left it."""
        with safe_open(self.path / WEIGHTS, framework="pt") as file:
            start_at_zero = [name for name in file.keys() if "lora_B" in name or ".lora_" not in name]  # noqa: SIM118
            return any(bool(file.get_tensor(name).any()) for name in start_at_zero)

    def attach(self, model: PreTrainedModel) -> PeftModel:
        """`model`, which must be the base, with all of the adapter's weights on it; not trainable."""
        with warnings.catch_warnings():
            hush_renamed()
            return lora_fit.attach(
                model, self.path, former_names=self.base.adapter.former_names, where=f"adapter {self.path}"
            )


def open_lora(folder: Path, *, base: str | None = None) -> LoraAdapter:
    """Vet the adapter in `folder` for the checkpoint called `base` (None: the base that training noted).

    `UserError` when the folder holds no LoRA adapter, a damaged one, one that is not finite, no `base.json`, or when
    the base is another one.
    """
    checkpoint = vet(folder, base=base)
    if read_json(folder / CONFIG).get("peft_type") == "PROMPT_TUNING":
        raise UserError(
            f"adapter {folder} is a soft prompt, which no weights can take in; ask its base with --adapter {folder}"
        )
    return LoraAdapter(path=folder, base=checkpoint)


def vet(folder: Path, *, base: str | None) -> Checkpoint:
    """The base of the adapter in `folder`, whatever its kind; `UserError` as for `open_lora`."""
    where = f"adapter {folder}"
    if (folder / "config.json").is_file() and not (folder / CONFIG).is_file():
        raise UserError(
            f"{where}: it is a whole checkpoint, in which nothing is left to merge or to put on a base; give it as the "
            "model itself"
        )
    for name in (CONFIG, WEIGHTS, BASE):
        if not (folder / name).is_file():
            raise UserError(f"adapter {folder}: no {name}; give the folder that training saved (usually .../final)")
    intact.read_whole_json(folder / CONFIG, where=where)
    intact.read_header(folder / WEIGHTS, where=where)
    finite.check_file(folder / WEIGHTS, where=where)
    noted = intact.read_whole_json(folder / BASE, where=where)
    for key in ("name", "fingerprint"):
        if not isinstance(noted.get(key), str):
            raise UserError(f"{folder / BASE}: no {key!r}; train the adapter again or note the base's {key} there")
    checkpoint = open_checkpoint(base or noted["name"])
    if checkpoint.fingerprint != noted["fingerprint"]:
        raise UserError(
            f"adapter {folder} was trained on {noted['name']} ({noted['fingerprint'][:12]}), and {checkpoint.name} is "
            f"another checkpoint ({checkpoint.fingerprint[:12]}); give the adapter's own base"
        )
    return checkpoint
