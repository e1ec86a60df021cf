"""TRL's `SFTTrainer` that writes which rows each step learnt from and resumes exactly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from torch.utils.data import Sampler
from trl import SFTTrainer
from typing_extensions import override

from vlm_grpo.methods.divergence import StopsWhenDiverged
from vlm_grpo.methods.metrics import cut_after
from vlm_grpo.methods.resume.epoch_order import EpochOrder
from vlm_grpo.methods.resume.exact import ExactResume
from vlm_grpo.store import atomic, jsonl
from vlm_grpo.store.manifest import read_json

SEEN = "seen.jsonl"
STATE = "sft_state.json"
_IDS = "row_ids"


class StudySFTTrainer(StopsWhenDiverged, ExactResume, SFTTrainer):
    """`SFTTrainer` with `seen.jsonl`: one line a micro-batch, `{"step": ..., "row_ids": [...]}`."""

    def __init__(self, *, run: Path, **trl: Any) -> None:
        super().__init__(**trl)
        self.data_collator: Any = _WithIds(self.data_collator)
        self._seen = run / SEEN
        self._cut = False

    @override
    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        return EpochOrder(rows, seed=self.args.seed, epoch=self._epoch)

    @override
    def _save_extra_state(self, folder: Path) -> None:
        if self.is_world_process_zero():
            state = {"tokens": self._total_train_tokens, "metrics": dict(self._metrics["train"])}
            atomic.write_json(folder / STATE, state)

    @override
    def _load_extra_state(self, folder: Path) -> None:
        state = read_json(folder / STATE)
        self._total_train_tokens = state["tokens"]
        self._metrics["train"].update(state["metrics"])

    @override
    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        ids = gather_object(inputs.pop(_IDS))
        if self.is_world_process_zero():
            self._write(ids)
        return super()._prepare_inputs(inputs)

    def _write(self, ids: list[str]) -> None:
        if not self._cut:
            if self._seen.exists():
                cut_after(self._seen, self.state.global_step)
            self._cut = True
        with jsonl.Appender(self._seen) as file:
            file.append([{"step": self.state.global_step + 1, _IDS: ids}])


class _WithIds:
    """A collator that keeps the rows' ids beside the tensors."""

    def __init__(self, collator: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> None:
        self._collator = collator

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self._collator(rows), _IDS: [row["id"] for row in rows]}
