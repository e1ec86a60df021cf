"""TRL's `GRPOTrainer` that also writes its rollouts to a file."""

from typing import Any

from accelerate.utils import gather_object
from trl import GRPOTrainer

from vlm_grpo.training.completions import CompletionsFile


class StudyGRPOTrainer(GRPOTrainer):
    """`GRPOTrainer` with `completions`, the file that keeps each rollout with its picture and rewards."""

    def __init__(self, *, completions: CompletionsFile, **trl: Any) -> None:
        super().__init__(**trl)
        self._completions = completions
        self._cut = False

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        rows = gather_object([{"id": row["id"], "image_files": row["image_files"]} for row in inputs])
        if self.is_world_process_zero():
            self._write(rows)
        return output

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if not self._cut:
            self._completions.cut_after(self.state.global_step)
            self._cut = True
        newest = slice(-len(rows), None)
        self._completions.append(
            step=self.state.global_step + 1,
            rows=rows,
            texts=[turns[0]["content"] for turns in list(self._logs["completion"])[newest]],
            rewards={name: list(values)[newest] for name, values in self._logs["rewards"].items()},
            advantages=list(self._logs["advantages"])[newest],
        )
