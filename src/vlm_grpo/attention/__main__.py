"""See where a model looks while it answers one row: for each token it writes, over the picture and over the text.

    python -m vlm_grpo.attention --run runs/GRPO --data data/digits --split test --row ID --out looks/ID
    python -m vlm_grpo.attention --model embedded:qwen2_5_vl --data DATA --row ID --out DIR --animate gif
    python -m vlm_grpo.attention --config configs/vsr/qwen_evaluate.yaml --row ID --out DIR --layer 20

OUT gets index.html (open it by a double click; arrow keys go from token to token), attention.json (the same figures)
and, last, manifest.json. Asked and decoded as an evaluation does; one layer is watched, mean over its heads. What is
looked at need not be used: for that, let an evaluation ask without the picture (its setting `controls`).
"""

import time
from dataclasses import asdict

from vlm_grpo.adapters.attention import check_attention
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.attention import animation, page
from vlm_grpo.attention.look import Look, look
from vlm_grpo.attention.settings import NO_EFFECT, LookArguments
from vlm_grpo.attention.shown import Shown, show
from vlm_grpo.config import parse
from vlm_grpo.decoding.cache_choice import choose_cache
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.evaluation import batches
from vlm_grpo.evaluation.generate import Decoder
from vlm_grpo.evaluation.inputs import EvaluationInputs, open_inputs
from vlm_grpo.evaluation.run import load_model, tell
from vlm_grpo.paths import user_path
from vlm_grpo.rows.images import upright_size
from vlm_grpo.store import atomic, manifest

PAGE, FIGURES, KIND = "index.html", "attention.json", "attention"


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Look as the command line says."""
    parsed = parse((LookArguments,), argv, description=__doc__, no_effect=NO_EFFECT)
    settings: LookArguments = parsed.arguments[0]
    if parsed.dry_run:
        print(f"# attention of {settings.adapter or settings.model} on row {settings.row}: {settings.out}/{PAGE}")
        return
    animation.check(settings.animate)
    check_attention(settings.attention)
    folder = user_path(settings.out)
    if manifest.exists(folder):
        raise UserError(f"{folder} holds a finished result; choose another output folder")
    started = time.monotonic()
    inputs = open_inputs(settings, given=parsed.given - {"run", "row", "layer", "animate"}, row_id=settings.row)
    for line in inputs.settled.lines:
        tell(line)
    seen, shown = observe(inputs, settings)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(folder / FIGURES, shown.figures())
    atomic.write_text(folder / PAGE, page.render(shown))
    if settings.animate is not None:
        atomic.write_bytes(folder / f"attention.{settings.animate}", animation.encode(settings.animate, shown))
    manifest.write(
        folder,
        kind=KIND,
        config=asdict(settings),
        inputs={
            "model": inputs.model.fingerprint,
            "adapter": inputs.adapter.fingerprint if inputs.adapter else None,
            "prompt": inputs.asked[0].hash,
        },
        counts={"tokens": len(shown.tokens), "cells": len(seen.cells), "layer": seen.layer, "layers": seen.layers},
        seconds=time.monotonic() - started,
        seeds={"seed": settings.seed},
    )
    print(f"{shown.answer}: {folder / PAGE}")


def observe(inputs: EvaluationInputs, settings: LookArguments) -> tuple[Look, Shown]:
    """Let the model answer the one row of `inputs`, and watch it."""
    answering = inputs.settled.settings
    dtype = pick_dtype(answering.dtype)
    model = load_model(answering, inputs, dtype)
    adapter, processor, asked = inputs.model.adapter, inputs.processor, inputs.asked[0]
    decoder = Decoder(
        model=model,
        processor=processor,
        adapter=adapter,
        max_new_tokens=answering.max_new_tokens,
        temperature=answering.temperature,
        top_p=answering.top_p,
        seed=answering.seed,
    )
    encoded = batches.encode([asked], adapter=adapter, processor=processor, root=answering.root)
    never = adapter.placeholder_ids(processor.tokenizer)
    use_cache = choose_cache(answering.use_cache, model=model, adapter=adapter, batch=lambda: encoded, never=never)
    (completion,) = decoder.say(encoded, [asked.row.id], use_cache=use_cache)
    sizes = [upright_size(answering.root / name) for name in asked.row.images]
    seen = look(model, adapter, processor, encoded, completion, sizes=sizes, layer=settings.layer)
    return seen, show(seen, inputs, name=settings.adapter or settings.model)


if __name__ == "__main__":
    main()
