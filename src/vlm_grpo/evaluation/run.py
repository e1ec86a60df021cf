"""One evaluation from settings to scores: vet, claim the folder, answer what is missing, score, write the manifest.

Killed at any moment, the same command goes on where it stopped: every finished batch is on disk.
"""

import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from vlm_grpo.adapters import generation
from vlm_grpo.adapters.attention import check_attention
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.decoding.cache_choice import choose_cache
from vlm_grpo.decoding.serving import not_served
from vlm_grpo.evaluation import batches, generations, outcomes, turns
from vlm_grpo.evaluation.arms import KIND, SCORES
from vlm_grpo.evaluation.controls import compared
from vlm_grpo.evaluation.converse import Conversing
from vlm_grpo.evaluation.generate import Completion, Decoder, complete
from vlm_grpo.evaluation.generations import Generation, Origin
from vlm_grpo.evaluation.graded import graded
from vlm_grpo.evaluation.inputs import EvaluationInputs, open_inputs
from vlm_grpo.evaluation.scores import CONFIDENCE, score
from vlm_grpo.evaluation.settings import AUTO_BATCH_SIZE, EvaluationArguments
from vlm_grpo.progress import progress
from vlm_grpo.rows import dataset
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.tasks.asking import AskedRow, asker
from vlm_grpo.tasks.base import Outcome

PARITY_ROWS = 4


def evaluate(settings: EvaluationArguments, *, given: Collection[str] | None = None) -> dict[str, Any]:
    """Run the evaluation into `settings.out` and return its scores.

    `given` are the names of the settings that the user set, which stand where the model's training asked otherwise;
    None takes those whose values are not the defaults.
    """
    check_attention(settings.attention)
    return _evaluate(settings, given=given)


def _evaluate(
    settings: EvaluationArguments,
    *,
    given: Collection[str] | None,
    control: str | None = None,
    model: PreTrainedModel | None = None,
) -> dict[str, Any]:
    """`evaluate`, with the pictures of `control` where there is one, and by `model` where it is loaded already."""
    inputs = open_inputs(settings, given=given, control=control)
    settings = inputs.settled.settings
    instead = {"control": control} if control else {}
    source = Origin(
        split=settings.split,
        model=settings.model,
        model_fingerprint=inputs.model.fingerprint,
        adapter_fingerprint=inputs.adapter.fingerprint if inputs.adapter else None,
        prompt=settings.prompt,
        sampling=settings.sampling() | instead,
    )
    dtype = pick_dtype(settings.dtype)
    rows_fingerprint = dataset.fingerprint(inputs.rows)
    folder = settings.folder
    identity = {
        "kind": KIND,
        **source.model_dump(exclude={"model"}),
        "rows": rows_fingerprint,
        "answers": settings.answers,
        "dtype": str(dtype).removeprefix("torch."),
        **({"controls": settings.controls} if settings.controls else {}),
        **({"judge": settings.judge_model} if settings.judge_model else {}),
    }
    if manifest.is_claimed(folder, identity) and manifest.exists(folder):
        return manifest.read_json(folder / SCORES)
    for line in inputs.settled.lines:
        tell(line)
    started = time.monotonic()
    if model is None and _missing(settings, inputs, source):
        model = load_model(settings, inputs, dtype)
    manifest.claim(folder, identity)
    with only_writer(folder, doing="evaluating"):
        answered_before = len(generations.read(folder))
        use_cache = _generate(settings, inputs, source, model) if model is not None else None
        for name in settings.controls:
            tell(f"the same rows, {name} pictures in place of their own")
            _evaluate(_of_control(settings, name), given=given, control=name, model=model)
        scores = _scores(settings, inputs)
        atomic.write_json(folder / SCORES, scores)
        manifest.write(
            folder,
            kind=KIND,
            config=asdict(settings),
            inputs={
                "model": source.model_fingerprint,
                "adapter": source.adapter_fingerprint,
                "rows": rows_fingerprint,
            },
            counts={"rows": len(inputs.rows), "split_rows": inputs.split_rows, "answered_before": answered_before},
            seconds=time.monotonic() - started,
            seeds={"seed": settings.seed},
            dtype=str(dtype).removeprefix("torch."),
            use_cache=use_cache,
            **instead,
        )
    return scores


def _of_control(settings: EvaluationArguments, control: str) -> EvaluationArguments:
    return replace(settings, out=str(settings.folder / control), controls=[])


def tell(line: str) -> None:
    """Print `line` to stderr."""
    print(line, file=sys.stderr, flush=True)


def _missing(settings: EvaluationArguments, inputs: EvaluationInputs, source: Origin) -> list[AskedRow]:
    """The rows that have no generation yet; `UserError` where one that is there is not of `source`."""
    done = generations.read(settings.folder)
    path = settings.folder / generations.FILE
    generations.check_origin(done, source, hashes={p.row.id: p.hash for p in inputs.asked}, where=path)
    return [prompt for prompt in inputs.asked if prompt.row.id not in done]


def load_model(settings: EvaluationArguments, inputs: EvaluationInputs, dtype: torch.dtype) -> PreTrainedModel:
    """The model on its device, with its adapter if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = inputs.model.load_model(dtype=dtype, device=device, attention=settings.attention)
    return inputs.adapter.attach(model).get_base_model() if inputs.adapter else model


def _generate(
    settings: EvaluationArguments, inputs: EvaluationInputs, source: Origin, model: PreTrainedModel
) -> bool | None:
    """Append what is missing to the generations; whether the KV cache was used, None when nothing was missing."""
    path = settings.folder / generations.FILE
    missing = _missing(settings, inputs, source)
    if len(missing) < len(inputs.asked):
        tell(f"{len(inputs.asked) - len(missing)} of {len(inputs.asked)} rows are answered already")
    if not missing:
        return None
    family = inputs.model.adapter
    decoder = Decoder(
        model=model,
        processor=inputs.processor,
        adapter=family,
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=settings.seed,
    )
    tell(f"a completion ends at {generation.named(decoder.end_tokens, inputs.processor)}")
    if aside := generation.aside_in_words(inputs.model.path):
        tell(aside)
    is_blank = source.sampling.get("control") == "blank"
    encode = partial(batches.encode, adapter=family, processor=inputs.processor, root=settings.root, is_blank=is_blank)
    use_cache = choose_cache(
        settings.use_cache,
        model=model,
        adapter=family,
        batch=lambda: encode(missing[:PARITY_ROWS]),
        never=family.placeholder_ids(inputs.processor.tokenizer),
    )
    if use_cache and (why := not_served(model)):
        tell(f"decoding by transformers' generate: {why}")
    decode: Decoder | Conversing = decoder
    if inputs.environment is not None:
        decode = Conversing(
            decoder=decoder,
            environment=inputs.environment,
            native=inputs.native,
            adapter=family,
            ask=asker(settings.prompt, inputs.views),
            root=settings.root,
            is_blank=is_blank,
            most_calls=settings.max_tool_calling_iterations,
        )
    automatic = settings.batch_size == "auto"
    completions = complete(
        missing,
        decode=partial(decode, use_cache=use_cache),
        encode=encode,
        batch_size=AUTO_BATCH_SIZE if automatic else int(settings.batch_size),
        may_halve=automatic,
    )
    with jsonl.Appender(path) as file:
        for _ in progress(_append(completions, file, source), total=len(missing), label="generating"):
            pass
    return use_cache


def _append(completions: Iterator[list[Completion]], file: jsonl.Appender, source: Origin) -> Iterator[AskedRow]:
    """Write each batch as it comes, then yield its prompts."""
    for batch in completions:
        file.append(_generation(completion, source).as_line() for completion in batch)
        yield from (completion.prompt for completion in batch)


def _generation(completion: Completion, source: Origin) -> Generation:
    row = completion.prompt.row
    return Generation(
        **source.model_dump(),
        id=row.id,
        images=row.images,
        task=row.task,
        problem=row.problem,
        solution=row.solution,
        prompt_hash=completion.prompt.hash,
        text=completion.text,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        finish_reason=completion.finish_reason,
        turns=completion.turns,
    )


def _scores(settings: EvaluationArguments, inputs: EvaluationInputs) -> dict[str, Any]:
    """Write what each answer is worth, and return what they add up to."""
    folder = settings.folder
    said = generations.read(folder)
    judged = outcomes.judge_rows(
        said,
        inputs.rows,
        rule=settings.answers,
        views=inputs.views,
        where=folder / generations.FILE,
        graded=graded(said, inputs.rows, settings),
    )
    outcomes.write(folder, judged, inputs.rows, rule=settings.answers)
    return {
        "split": settings.split,
        "split_rows": inputs.split_rows,
        "limit": settings.limit,
        "prompt": settings.prompt,
        "answers": settings.answers,
        **score(said, inputs.rows, judged),
        **({"environment": _turns(inputs, said, judged)} if inputs.environment else {}),
        **({"controls": _controls(settings, judged)} if settings.controls else {}),
    }


def _turns(
    inputs: EvaluationInputs, said: dict[str, generations.Generation], judged: dict[str, Outcome]
) -> dict[str, Any]:
    assert inputs.environment is not None
    return turns.figures(
        inputs.environment,
        said,
        inputs.rows,
        judged,
        rule=inputs.settled.settings.answers,
        views=inputs.views,
        confidence=CONFIDENCE,
    )


def _controls(settings: EvaluationArguments, judged: dict[str, Outcome]) -> dict[str, Any]:
    """Each control, compared with what the rows are worth with their own pictures."""
    read = {name: outcomes.read(settings.folder / name) for name in settings.controls}
    return {
        name: compared(judged, {id: record.outcome for id, record in records.items()}, confidence=CONFIDENCE)
        for name, records in read.items()
    }
