"""A teacher's right and well-formed traces as a data set, for a student that is not asked to reason.

    python -m vlm_grpo.methods.soft_prompt_data --teacher BASE [--adapter RUN/final] --data data/vsr --out data/traces
    python -m vlm_grpo.methods.soft_prompt_data --generations EVALUATION [...] --data data/vsr --out data/traces

The teacher is asked in the template that asks for reasoning (`prompt`), several times a row; or what an evaluation has
it say is read. The rows stay as they are and get the column `trace`; with which prompt a student reads them is its own
setting, and one that does not ask for reasoning leaves something to induce (in the study the two templates were one).
`--logits K` keeps the teacher's K likeliest tokens at each token of the traces, for `teacher_weight`. The manifest
counts what was kept and dropped, by reason. Cut off, the same command goes on.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vlm_grpo.adapters.askable import Askable, check_askable
from vlm_grpo.adapters.lengths import PromptLengths, check_lengths, context_length
from vlm_grpo.adapters.renamed import hush_renamed
from vlm_grpo.config import parse
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.methods import examples
from vlm_grpo.methods.soft_prompt import sampling, teacher
from vlm_grpo.methods.soft_prompt.asked_teacher import Teacher, distributions, open_teacher
from vlm_grpo.methods.soft_prompt.spoken import hashes, of_evaluations
from vlm_grpo.methods.soft_prompt.trace_arguments import TraceArguments
from vlm_grpo.methods.soft_prompt.traces import Chosen, Said, choose
from vlm_grpo.rows import dataset
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import CUE, check_pictures
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.tasks.asking import asker, render, texts
from vlm_grpo.tasks.registry import check_solutions, task_of
from vlm_grpo.yaml_layers import traced


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Build the data set as the command line says."""
    hush_renamed()
    parsed = parse((TraceArguments,), argv, description=__doc__, no_effect={})
    arguments: TraceArguments = parsed.arguments[0]
    if parsed.dry_run:
        print("# traces, dry run: nothing is downloaded or written")
        print(traced(asdict(arguments), parsed.sources), end="")
        return
    counts = build(arguments)
    print(f"{arguments.out}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


def build(arguments: TraceArguments) -> dict[str, int]:
    """Write the data set and return the counts of completions; one that is there already is left alone."""
    started = time.monotonic()
    data, out = Path(arguments.data), Path(arguments.out)
    source = manifest.read(data, kind=dataset.KIND)
    if CUE in source:
        raise UserError(f"{data} paints its pictures on the fly, which traces of it would lose; build it with pictures")
    rows = _rows(arguments, data)
    one = open_teacher(arguments) if arguments.teacher is not None else None
    identity = {"kind": dataset.KIND, "rows": dataset.fingerprint(rows), **_deciding(arguments)}
    manifest.claim(out, identity | {"teacher": one.fingerprints if one else hashes(arguments.generations)})
    with only_writer(out, doing="building"):
        if manifest.exists(out):
            return dict(manifest.read(out)["traces"])
        said = _ask(arguments, one, rows, data, out) if one else of_evaluations(arguments.generations, rows)
        chosen = choose(rows, said, split=arguments.split, most=arguments.keep)
        if not chosen.rows:
            raise UserError(
                f"{out}: no completion is right and well-formed ({_counted(chosen)}); take a better teacher"
            )
        names = dict.fromkeys(name for row in chosen.rows for name in row.images)
        brought = bring({out / name: data / name for name in names})
        if one is not None and arguments.logits is not None:
            kept = distributions(
                one,
                chosen.rows,
                root=out,
                prompt=arguments.prompt,
                count=arguments.logits,
                batch_size=arguments.batch_size,
            )
            teacher.write(out, kept)
        dataset.save(
            out,
            {arguments.split: chosen.rows},
            source={"name": str(data), "fingerprint": dataset.fingerprint(rows), "source": source["inputs"]["source"]},
            config=asdict(arguments),
            seconds=time.monotonic() - started,
            dropped=chosen.dropped,
            seeds={"seed": arguments.seed, "row_seed": arguments.row_seed},
            traces=chosen.counts,
            pictures=brought,
            teacher=one.fingerprints if one else hashes(arguments.generations),
        )
    return chosen.counts


def _rows(arguments: TraceArguments, data: Path) -> list[Row]:
    where = f"{data} split {arguments.split!r}"
    of_split = dataset.load(data, arguments.split)
    rows = examples.draw(of_split, count=arguments.num_rows, seed=arguments.row_seed, where=where)
    check_solutions(rows, where=where)
    check_pictures(rows, root=data)
    if any(examples.TRACE in row.meta for row in rows):
        raise UserError(f"{where} has a column {examples.TRACE!r} already; start from the data set it was made of")
    return rows


def _deciding(arguments: TraceArguments) -> dict[str, Any]:
    places = ("data", "out", "teacher", "adapter", "generations")
    return {name: value for name, value in asdict(arguments).items() if name not in places and value is not None}


def _ask(arguments: TraceArguments, one: Teacher, rows: list[Row], data: Path, out: Path) -> dict[str, list[Said]]:
    seen = one.views(rows, root=data)
    where = f"{data} split {arguments.split!r}"
    family, room = one.checkpoint.adapter, context_length(one.checkpoint.path) - arguments.max_new_tokens
    check_askable(rows, Askable(family, one.processor, root=data, texts=texts), where=where)
    lengths = PromptLengths(family, one.processor, root=data, ask=asker(arguments.prompt, seen))
    check_lengths(rows, lengths, limit=room, where=where)
    sampling.sample(
        one,
        render(rows, one.processor, template=arguments.prompt, views=seen),
        root=data,
        out=out,
        passes=arguments.samples,
        batch_size=arguments.batch_size,
        temperature=arguments.temperature,
        most=arguments.max_new_tokens,
        seed=arguments.seed,
    )
    by_id = {row.id: row for row in rows}
    said: dict[str, list[Said]] = {row.id: [] for row in rows}
    for line in sorted(jsonl.read(out / sampling.FILE, is_finished=True), key=lambda line: line["number"]):
        row = by_id[line["id"]]
        outcome = task_of(row).outcome(line["text"], row, rule="strict", view=seen[row.id])
        said[row.id].append(Said(line["text"], line["is_ended"], outcome.right))
    return said


def _counted(chosen: Chosen) -> str:
    return ", ".join(f"{count} {name}" for name, count in chosen.counts.items())


if __name__ == "__main__":
    main()
