"""Let a model answer the rows of a split, and score it.

    python -m vlm_grpo.evaluation --config configs/vsr/qwen_evaluate.yaml [--any_setting value ...]
    python -m vlm_grpo.evaluation --model MERGED --data data/vsr --split validation --out runs/grpo/validation
    python -m vlm_grpo.evaluation --model BASE --adapter runs/grpo/final --data data/vsr --out runs/grpo/validation

OUT gets generations.jsonl (one line a row; what the judge reads), scores.json and, last, manifest.json. The same
command goes on where it was stopped. One process uses one GPU; splits and models run side by side as jobs of their own.
An environment answers the model as it did in training, or as `--environment` says (docs/environments.md). `--dry-run`
prints the resolved settings and what would run. Own records take the place of `--data`: `--data_file_paths
a.jsonl:b.jsonl --image_folders x:y`, and further flags of `python -m vlm_grpo.tasks.jsonl`.
"""

from collections.abc import Mapping
from dataclasses import asdict

from vlm_grpo import tables
from vlm_grpo.adapters.checkpoint import is_here
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.config import parse
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.inputs import open_inputs
from vlm_grpo.evaluation.run import evaluate
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.evaluation.summary import arms_table, slices_tables, turns_table
from vlm_grpo.store import manifest
from vlm_grpo.tasks.jsonl import on_the_fly
from vlm_grpo.yaml_layers import traced


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Evaluate as the command line says."""
    parsed = parse((EvaluationArguments,), on_the_fly.settle(argv, whole=True), description=__doc__, no_effect={})
    settings: EvaluationArguments = parsed.arguments[0]
    if parsed.dry_run:
        show_plan(settings, parsed.sources)
        return
    scores = evaluate(settings, given=parsed.given)
    for table in (
        arms_table({settings.out: scores}, title=f"Split {settings.split}"),
        *turns_table(scores),
        *slices_tables(scores),
    ):
        print(tables.to_text(table))


def show_plan(settings: EvaluationArguments, sources: Mapping[str, str]) -> None:
    """Print what would run, and the resolved settings with their places; nothing is downloaded, written or claimed."""
    print("# evaluation, dry run: nothing is downloaded or written")
    known = is_here(settings.model)
    taken: Mapping[str, str] = {}
    print(f"# model:  {settings.model}{'' if known else ' (not on this machine; would be fetched from the hub)'}")
    if settings.adapter:
        print(f"# adapter: {settings.adapter}")
    if known and manifest.exists(settings.root):
        inputs = open_inputs(settings, given=sources.keys())
        settings, taken = inputs.settled.settings, inputs.settled.taken
        for line in inputs.settled.lines:
            print(f"# {line}")
        print(f"# rows:   {len(inputs.rows)} of {inputs.split_rows} in split {settings.split!r}")
    else:
        print(f"# data:   {settings.data}{'' if manifest.exists(settings.root) else ' (not built yet)'}")
    done = "finished" if manifest.exists(settings.folder) else f"{len(generations.read(settings.folder))} rows answered"
    print(f"# output: {settings.out} ({done})")
    print(f"# dtype:  {pick_dtype(settings.dtype)}")
    print(traced(asdict(settings), {**sources, **taken}), end="")


if __name__ == "__main__":
    main()
