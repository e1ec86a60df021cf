"""How long SFT trains where it is compared with GRPO: as many row presentations, or as many optimiser steps.

    samples   SFT is shown as many rows, repeats counted, as GRPO generates completions for: each row equally often
    steps     SFT takes as many optimiser steps as GRPO, of its own batch size

The study gave GRPO 1000 steps an epoch and SFT 250 without saying so (reference, section 12.1).
"""

import math
from typing import Any

from vlm_grpo.config import parse
from vlm_grpo.errors import UserError
from vlm_grpo.methods.arguments import Budget, SFTArguments, StudyArguments
from vlm_grpo.methods.settings import GRPO_TYPES
from vlm_grpo.methods.sizes import check_grpo_rows


def sft_steps(budget: Budget, *, grpo: Any, sft: Any, rows: int, processes: int) -> int:
    """Optimiser steps of SFT under `budget`, beside GRPO with the settings `grpo` on the same `rows`."""
    if budget == "steps":
        return grpo_steps(grpo, rows=rows)
    shown = grpo_steps(grpo, rows=rows) * _rows_a_step(grpo)
    return math.ceil(shown / (sft.per_device_train_batch_size * processes * sft.gradient_accumulation_steps))


def grpo_steps(grpo: Any, *, rows: int) -> int:
    """Optimiser steps of GRPO on `rows` rows, as TRL counts them: rows that fill no batch are left out of an epoch."""
    if grpo.max_steps > 0:
        return int(grpo.max_steps)
    batches = rows // _prompts_a_generation(grpo) * grpo.num_iterations * grpo.steps_per_generation
    return math.ceil(grpo.num_train_epochs * max(1, math.ceil(batches / grpo.gradient_accumulation_steps)))


def _prompts_a_generation(grpo: Any) -> int:
    return int(grpo.generation_batch_size) // int(grpo.num_generations)


def _rows_a_step(grpo: Any) -> float:
    """Rows that GRPO generates for, by optimiser step; a fraction where generations are used for several steps."""
    reused = grpo.num_iterations * grpo.steps_per_generation / grpo.gradient_accumulation_steps
    return _prompts_a_generation(grpo) / reused


def settle(training: SFTArguments, study: StudyArguments, budget_config: str | None, *, rows: int) -> None:
    """Set `max_steps` of an SFT run with a budget; one without is left alone.

    `UserError` when the budget lacks its GRPO config, or the run's length is also given by `max_steps`.
    """
    if study.budget is None:
        if budget_config is not None:
            raise UserError("budget_config has no effect without a budget; say budget: samples or steps")
        return
    if budget_config is None:
        raise UserError(f"budget {study.budget!r} needs budget_config, the config of the GRPO run to keep step with")
    if training.max_steps > 0:
        raise UserError("max_steps and budget both say how long SFT trains; remove one")
    grpo = parse(GRPO_TYPES, ["--config", budget_config], description="", no_effect={}).arguments[-1]
    check_grpo_rows(grpo, rows=rows, where=f"budget_config {budget_config}")
    training.max_steps = sft_steps(study.budget, grpo=grpo, sft=training, rows=rows, processes=training.world_size)
