"""Ask one arm for its probabilities: what is missing, batch by batch, then scores, figure and, last, the manifest."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import batches
from vlm_grpo.evaluation.arms import Arm, open_arm
from vlm_grpo.evaluation.asked_again import next_token_log_probabilities, open_again, settings_of
from vlm_grpo.evaluation.generate import complete
from vlm_grpo.evaluation.probabilities import records, scores
from vlm_grpo.evaluation.probabilities.records import ProbabilityRecord
from vlm_grpo.evaluation.probabilities.words import AnswerWords, Place, answer_words
from vlm_grpo.progress import progress
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.tasks.asking import AskedRow
from vlm_grpo.tasks.registry import task_of

KIND = "probabilities"
SCORES = "probabilities.json"
AUTO_BATCH_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an arm is asked: `place` is as in `answer_words`, `bins` those of the calibration, `seed` draws resamples."""

    place: Place = "stated"
    bins: int = 10
    seed: int = 0


def ask(folder: Path, *, out: Path, options: Options) -> dict[str, Any]:
    """Ask the evaluated arm in `folder` for its probabilities, into `out`; what they come to."""
    if folder.resolve() == out.resolve():
        raise UserError(f"--out {out} is the evaluation itself; choose another folder")
    arm = open_arm(folder)
    settings_of(arm)
    config = arm.manifest["config"]
    identity = {
        "kind": KIND,
        "arm": str(folder),
        "inputs": arm.manifest["inputs"],
        "prompt": config["prompt"],
        "answers": config["answers"],
        **asdict(options),
    }
    if manifest.is_claimed(out, identity) and manifest.exists(out):
        return manifest.read_json(out / SCORES)
    started = time.monotonic()
    missing = [row.id for row in arm.rows if row.id not in records.read(out)]
    asking = _Asking(arm, options) if missing else None
    manifest.claim(out, identity)
    with only_writer(out, doing="asking for probabilities"):
        if asking is not None:
            _append(asking, missing, out)
        written = records.read(out)
        summary = scores.summarise(written, arm, options.bins, seed=options.seed) | {"place": options.place}
        atomic.write_json(out / SCORES, summary)
        manifest.write(
            out,
            kind=KIND,
            config={"arm": str(folder), **asdict(options)},
            inputs=arm.manifest["inputs"],
            counts={"rows": len(arm.rows), "asked": summary["n"]},
            seconds=time.monotonic() - started,
            seeds={"seed": options.seed},
        )
    return summary


def _append(asking: "_Asking", missing: Sequence[str], out: Path) -> None:
    with jsonl.Appender(out / records.FILE) as file:

        def written(batch: list[ProbabilityRecord]) -> Iterator[ProbabilityRecord]:
            file.append(record.model_dump(mode="json") for record in batch)
            yield from batch

        made = (record for batch in asking.records(missing) for record in written(batch))
        for _ in progress(made, total=len(missing), label="probabilities"):
            pass


class _Asking:
    """The model of an arm, its prompts, and what each row's answer can begin with."""

    def __init__(self, arm: Arm, options: Options) -> None:
        settings = settings_of(arm)
        self._inputs, self._model = open_again(arm, settings)
        self._model.eval()
        self._batch_size = settings.batch_size
        self._tokenizer = self._inputs.processor.tokenizer
        self._encode = partial(
            batches.encode,
            adapter=self._inputs.model.adapter,
            processor=self._inputs.processor,
            root=settings.root,
            is_blank=arm.manifest.get("control") == "blank",
        )
        self._words = {
            row.id: answer_words(
                row,
                arm.generations[row.id].text,
                rule=settings.answers,
                place=options.place,
                encode=lambda text: list(self._tokenizer(text, add_special_tokens=False)["input_ids"]),
                decode=self._decode,
            )
            for row in arm.rows
        }

    def records(self, ids: Sequence[str]) -> Iterator[list[ProbabilityRecord]]:
        """The records of the rows `ids`: first those without a place for an answer, then a batch at a time."""
        wanted, asked = set(ids), []
        for prompt in self._inputs.asked:
            words = self._words[prompt.row.id]
            if prompt.row.id in wanted and isinstance(words, AnswerWords):
                asked.append(AskedRow(prompt.row, prompt.text + words.before))
        yield [ProbabilityRecord(id=id, missing=words) for id in ids if isinstance(words := self._words[id], str)]
        yield from complete(
            asked,
            decode=self._read,
            encode=self._encode,
            batch_size=AUTO_BATCH_SIZE if self._batch_size == "auto" else int(self._batch_size),
            may_halve=self._batch_size == "auto",
        )

    def _read(self, batch: list[AskedRow], encoded: Any) -> list[ProbabilityRecord]:
        says = next_token_log_probabilities(self._model, encoded).cpu().double()
        return [self._record(prompt, row) for prompt, row in zip(batch, says, strict=True)]

    def _record(self, prompt: AskedRow, says: torch.Tensor) -> ProbabilityRecord:
        """From the log-probabilities `says` (vocabulary,) of the next token."""
        words, row = self._words[prompt.row.id], prompt.row
        assert isinstance(words, AnswerWords)
        task = task_of(row)
        kind, truth = task.answer(row), task.truth(row)
        held = torch.stack([says[list(tokens)].logsumexp(dim=0) for tokens in words.tokens])
        likeliest, token = int(held.argmax()), int(says.argmax())
        said = words.values[likeliest]
        return ProbabilityRecord(
            id=row.id,
            probabilities=dict(zip(map(kind.write, words.values), held.exp().tolist(), strict=True)),
            mass=float(held.logsumexp(dim=0).exp()),
            said=said,
            truth=truth,
            right=kind.same(said, truth),
            confidence=float(held.softmax(dim=0)[likeliest]),
            token=self._decode([token]),
            token_probability=float(says[token].exp()),
        )

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, clean_up_tokenization_spaces=False))
