"""The study's GRPO trainer: TRL's, made fast, that writes its rollouts to a file and resumes exactly."""

from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from torch.utils.data import Sampler
from typing_extensions import override

from vlm_grpo.adapters.finite import watch_logits
from vlm_grpo.methods.divergence import StopsWhenDiverged
from vlm_grpo.methods.grpo import state
from vlm_grpo.methods.grpo.completions import CompletionsFile
from vlm_grpo.methods.grpo.conversation import spoken
from vlm_grpo.methods.grpo.turns import TurnsGRPOTrainer
from vlm_grpo.methods.resume.epoch_order import EpochGroups
from vlm_grpo.methods.resume.exact import ExactResume
from vlm_grpo.methods.vllm.prompts import ReadsWhatIsScored


class StudyGRPOTrainer(StopsWhenDiverged, ExactResume, TurnsGRPOTrainer, ReadsWhatIsScored):
    """`TurnsGRPOTrainer` with `completions`, the file that keeps each rollout with its picture and rewards."""

    def __init__(self, *, completions: CompletionsFile, **trl: Any) -> None:
        super().__init__(**trl)
        self._completions = completions
        self._cut = False

    @override
    def _get_train_sampler(self, dataset: Any = None) -> Sampler:
        return EpochGroups(super()._get_train_sampler(dataset), epoch=self._epoch)

    @override
    def _save_extra_state(self, folder: Path) -> None:
        between_rollouts = self._step % (self.args.steps_per_generation * self.num_iterations) == 0
        state.save(
            folder,
            process=self.args.process_index,
            micro_step=self._step,
            rollouts=None if between_rollouts else self._buffered_inputs,
            metrics=self._metrics["train"],
        )

    @override
    def _load_extra_state(self, folder: Path) -> None:
        saved = state.load(folder, process=self.args.process_index, device=self.args.device)
        self._step, self._buffered_inputs = saved["micro_step"], saved["rollouts"]
        self._metrics["train"].update(saved["metrics"])

    @override
    def _generate_single_turn(self, *prompts: Any, **settings: Any) -> Any:
        """As before it, with an eye on the logits: sampling from a NaN crashes, or stops the device."""
        with watch_logits(self._inner_model()) as watch:
            sampled = super()._generate_single_turn(*prompts, **settings)
        if not watch.is_finite:
            self._sampled = "a logit of the rollouts"
        return sampled

    @override
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
        turns = [spoken(of_row) for of_row in list(self._logs["completion"])[newest]]
        self._completions.append(
            step=self.state.global_step + 1,
            rows=rows,
            texts=[[turn["text"] for turn in of_row if turn["role"] == "assistant"][-1] for of_row in turns],
            rewards={name: list(values)[newest] for name, values in self._logs["rewards"].items()},
            advantages=list(self._logs["advantages"])[newest],
            turns=None if self._environment is None else turns,
        )
