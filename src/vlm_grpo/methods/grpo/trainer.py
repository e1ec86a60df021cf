"""The study's GRPO trainer: TRL's, made fast, that watches its rollouts, writes them down and resumes exactly."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch.utils.data import Sampler
from typing_extensions import override

from vlm_grpo.adapters.finite import watch_logits
from vlm_grpo.environments.conversation import spoken
from vlm_grpo.methods.divergence import StopsWhenDiverged
from vlm_grpo.methods.grpo import preflight, state, watch
from vlm_grpo.methods.grpo.beginnings import Begun
from vlm_grpo.methods.grpo.completions import CompletionsFile, Rollouts
from vlm_grpo.methods.grpo.constraints import Constraints
from vlm_grpo.methods.grpo.ranking import Ranking
from vlm_grpo.methods.grpo.reference import KeepsReference
from vlm_grpo.methods.grpo.turns import TurnsGRPOTrainer
from vlm_grpo.methods.resume.epoch_order import EpochGroups
from vlm_grpo.methods.resume.exact import ExactResume
from vlm_grpo.methods.vllm.prompts import ReadsWhatIsScored
from vlm_grpo.rewards.base import ROW, VIEW
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import beginning_of


class StudyGRPOTrainer(StopsWhenDiverged, ExactResume, KeepsReference, TurnsGRPOTrainer, ReadsWhatIsScored):
    """`TurnsGRPOTrainer` with `completions`, the file that keeps each rollout with its picture and rewards.

    `shaping` says what is made of advantages: plain or cubic; `constraints` are levels that rewards must reach,
    `ranking` tells the right completions of a group apart. At most one of the three.
    """

    def __init__(
        self,
        *,
        completions: CompletionsFile,
        shaping: str = "plain",
        constraints: Constraints | None = None,
        ranking: Ranking | None = None,
        **trl: Any,
    ) -> None:
        super().__init__(**trl)
        self._completions, self._shaping = completions, shaping
        self._constraints, self._ranking = constraints, ranking
        self._has_rolled_out = False

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
            multipliers={} if self._constraints is None else self._constraints.multipliers,
        )
        self.save_reference(folder)

    @override
    def _load_extra_state(self, folder: Path) -> None:
        saved = state.load(folder, process=self.args.process_index, device=self.args.device)
        self._step, self._buffered_inputs = saved["micro_step"], saved["rollouts"]
        self._metrics["train"].update(saved["metrics"])
        if self._constraints is not None:
            self._constraints.multipliers.update(saved.get("multipliers", {}))
        self.load_reference(folder)

    @override
    def _processing(self, processor: Any, inputs: list[dict[str, Any]]) -> Any:
        """As before it, with prompts that go on in what their completions begin with."""
        beginnings = [beginning_of(Row.model_validate_json(row[ROW])) for row in inputs]
        stand_in = super()._processing(processor, inputs)
        return Begun(stand_in, beginnings) if any(beginnings) else stand_in

    @override
    def _generate_single_turn(self, *prompts: Any, **settings: Any) -> Any:
        """As before it, with an eye on the logits: sampling from a NaN crashes, or stops the device."""
        with watch_logits(self._inner_model()) as logits:
            sampled = super()._generate_single_turn(*prompts, **settings)
        if not logits.is_finite:
            self._sampled = "a logit of the rollouts"
        return sampled

    @override
    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        rows = gather_object([{name: row[name] for name in ("id", "image_files", ROW, VIEW)} for row in inputs])
        begun = [beginning_of(Row.model_validate_json(row[ROW])) for row in rows]
        rollouts = self._newest_rollouts(begun, clipped=gather_object(self._clipped(output)))
        watched = watch.figures(rollouts, [row[ROW] for row in rows], group=self.num_generations)
        shaper = self._constraints or self._ranking
        if self._shaping == "cubic" or shaper is not None:
            shaped, of_both = (shaper.apply if shaper else watch.shape)(rollouts, group=self.num_generations)
            own = slice(self.accelerator.process_index * len(inputs), None)
            output["advantages"] = shaped[own][: len(inputs)].to(output["advantages"])
            watched |= of_both
        for name, value in watched.items():
            self._metrics["train"][name].append(value)
        if self.is_world_process_zero():
            self._write(rows, rollouts)
        if self.state.global_step == 0:
            preflight.check_scored(rollouts.rewards, task=json.loads(rows[0][ROW])["task"])
        return output

    def _clipped(self, output: dict[str, Any]) -> list[bool]:
        """Whether each completion of this process was cut off; TRL may have masked such a one altogether."""
        ids, mask = output["completion_ids"], output["completion_mask"]
        last = ids.gather(1, mask.long().cumsum(1).argmax(1, keepdim=True))
        ends = torch.tensor([*self.eos_token_ids, self._tokenizer.pad_token_id], device=ids.device)
        clipped: list[bool] = (~torch.isin(last[:, 0], ends) | ~mask.any(1)).tolist()
        return clipped

    def _newest_rollouts(self, begun: list[str], *, clipped: list[bool]) -> Rollouts:
        """The last rollouts of all processes, as TRL has logged them, behind what each was `begun` with."""
        newest = slice(-len(begun), None)
        turns = [spoken(of_row) for of_row in list(self._logs["completion"])[newest]]
        said = [[turn["text"] for turn in of_row if turn["role"] == "assistant"][-1] for of_row in turns]
        return Rollouts(
            texts=[beginning + text for beginning, text in zip(begun, said, strict=True)],
            rewards={name: list(values)[newest] for name, values in self._logs["rewards"].items()},
            advantages=list(self._logs["advantages"])[newest],
            clipped=clipped,
            turns=None if self._environment is None else turns,
        )

    def _write(self, rows: list[dict[str, Any]], rollouts: Rollouts) -> None:
        if not self._has_rolled_out:
            self._completions.cut_after(self.state.global_step)
            if self.state.global_step == 0:
                for line in preflight.report(rollouts.rewards, group=self.num_generations):
                    print(line, file=sys.stderr, flush=True)
            self._has_rolled_out = True
        self._completions.append(step=self.state.global_step + 1, rows=rows, rollouts=rollouts)
