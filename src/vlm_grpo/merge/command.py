"""Fold a LoRA adapter into its base: `python -m vlm_grpo.merge --adapter runs/grpo/final --out runs/grpo/merged`.

The sum is taken in float32 and stored in the base's own number format, unless `--dtype` says otherwise. Three models
are asked the same probe (a picture, a question and the model's own continuation): base plus adapter, the merged model
in memory, and the saved checkpoint read back. How far the last two are from the first is written into the manifest; a
merge beyond its tolerance is refused and leaves no weights behind. Everything but the weights is the base's; how the
adapter's run asked (`asked.json`) comes with them.
"""

import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from vlm_grpo.adapters import asked, derived
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.adapters.lora import LoraAdapter, open_lora
from vlm_grpo.config import parse
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.merge import probe
from vlm_grpo.store import manifest
from vlm_grpo.yaml_layers import traced

KIND = "merge"
BY_NAME = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

TOLERANCE = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Largest mean difference of the logits over their standard deviation, by the number format of the weights.

Merging in float32 costs rounding alone; storing 11 or 8 significant bits rounds every weight, layer upon layer."""


@dataclass
class MergeArguments:
    """One merge."""

    adapter: str = field(metadata={"help": "Folder of the trained adapter (usually RUN/final)."})
    out: str = field(metadata={"help": "Folder for the merged checkpoint."})
    base: str | None = field(default=None, metadata={"help": "The adapter's base; the one training noted if unset."})
    dtype: str = field(
        default="auto", metadata={"help": "Saved weights: auto (the base's own format), float32, float16 or bfloat16."}
    )
    device: str = field(default="auto", metadata={"help": "auto (the GPU if there is one), cpu or cuda."})

    def __post_init__(self) -> None:
        if self.dtype not in ("auto", *BY_NAME):
            raise UserError(f"unknown dtype {self.dtype!r}; known: auto, {', '.join(BY_NAME)}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise UserError(f"unknown device {self.device!r}; known: auto, cpu, cuda")


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Merge as the command line says."""
    parsed = parse((MergeArguments,), argv, description=__doc__, no_effect={})
    arguments: MergeArguments = parsed.arguments[0]
    if parsed.dry_run:
        print("# merge, dry run: nothing is downloaded or written")
        print(traced(asdict(arguments), parsed.sources), end="")
        return
    merge(arguments)


def merge(arguments: MergeArguments) -> Path:
    """Merge into `arguments.out` and return that folder; a finished merge of the same parts is kept."""
    lora = open_lora(Path(arguments.adapter), base=arguments.base)
    dtype = stored_dtype(lora.base) if arguments.dtype == "auto" else BY_NAME[arguments.dtype]
    out = Path(arguments.out)
    inputs = {"base": lora.base.fingerprint, "adapter": lora.fingerprint}
    name = str(dtype).removeprefix("torch.")
    identity = {"kind": KIND, **inputs, "dtype": name}
    if manifest.is_claimed(out, identity) and manifest.exists(out):
        print(f"{out} is merged already", file=sys.stderr, flush=True)
        return out
    started = time.monotonic()
    device = arguments.device if arguments.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    differences = _merge(lora, out, dtype, device, identity)
    manifest.write(
        out,
        kind=KIND,
        config=asdict(arguments),
        inputs=inputs,
        counts={},
        seconds=time.monotonic() - started,
        dtype=name,
        base=lora.base.name,
        probe={name: difference.as_dict() for name, difference in differences.items()},
        tolerance={"merged": TOLERANCE[torch.float32], "saved": TOLERANCE[dtype]},
    )
    saved, effect = differences["saved"], differences["without_adapter"]
    print(
        f"merged into {out} ({name}): on the probe, merging and rounding move the logits by {saved.mean:.2g} on "
        f"average, the adapter by {effect.mean:.2g}; the first token is the same at {saved.argmax_agreement:.1%} of "
        "positions",
        file=sys.stderr,
        flush=True,
    )
    return out


def stored_dtype(checkpoint: Checkpoint) -> torch.dtype:
    """The one number format in which the weights of `checkpoint` are stored; `UserError` where there are several."""
    formats = derived.stored_dtypes(checkpoint)
    first = next(iter(formats.values()), None)
    if len(formats) != 1 or first is None:
        raise UserError(
            f"model {checkpoint.name} is stored in {', '.join(formats)}; say --dtype float32, float16 or bfloat16"
        )
    return first


def _merge(
    lora: LoraAdapter, out: Path, dtype: torch.dtype, device: str, identity: dict[str, Any]
) -> dict[str, probe.LogitDifference]:
    """Write the merged checkpoint to `out`, which is claimed for `identity` once the sum is made.

    Returns how far from base plus adapter are the base alone (what the adapter does on the probe), the merged model
    and the saved checkpoint.
    """
    base = lora.base
    processor = base.load_processor()
    adapted = lora.attach(base.load_model(dtype=torch.float32, device=device))
    inputs = probe.extend(
        adapted.get_base_model(),
        probe.encode(base.adapter, processor),
        never=base.adapter.placeholder_ids(processor.tokenizer),
    )
    reference = probe.logits(adapted, inputs)
    with adapted.disable_adapter():
        differences = {"without_adapter": probe.compare(probe.logits(adapted, inputs), reference)}
    if lora.is_trained and differences["without_adapter"].max == 0:
        raise UserError(
            f"adapter {lora.path} moves nothing on the probe though its weights are not zero; look at lora_alpha and "
            "target_modules in its adapter_config.json"
        )
    merged = adapted.merge_and_unload(safe_merge=True)
    differences["merged"] = probe.compare(probe.logits(merged, inputs), reference)
    _check(differences["merged"], TOLERANCE[torch.float32], "the merged model")
    manifest.claim(out, identity)
    _save(merged.to(dtype), lora, processor, out, dtype)
    del adapted, merged
    try:
        saved = open_checkpoint(str(out.absolute())).load_model(dtype=torch.float32, device=device)
        differences["saved"] = probe.compare(probe.logits(saved, inputs), reference)
        _check(differences["saved"], TOLERANCE[dtype], f"the checkpoint saved in {dtype}")
    except UserError:
        for file in out.glob("*.safetensors*"):
            file.unlink()
        raise
    return differences


def _check(difference: probe.LogitDifference, tolerance: float, what: str) -> None:
    if not difference.relative <= tolerance:
        raise UserError(
            f"{what} is not base plus adapter: probe logits differ by {difference.relative:.2g} of their spread "
            f"(at most {tolerance:g} is rounding); save in a wider --dtype or train the adapter again"
        )


def _save(model: Any, lora: LoraAdapter, processor: Any, out: Path, dtype: torch.dtype) -> None:
    """Weights of `model`; all else of its base; how its training asked."""
    model.generation_config = GenerationConfig()  # the base's own are copied; saving them would vet them
    model.save_pretrained(out)
    derived.complete(out, lora.base, processor, dtype)
    trained = asked.read(lora.path)
    if trained is not None:
        asked.write(out, trained)
