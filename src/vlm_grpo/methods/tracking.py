"""One run in a tracker for all attempts of a training run.

wandb continues the run whose id it is given; trackio the one of the same project and name. Both are derived from what
makes two runs the same (`run.json`), so a requeued job appends to its curve instead of starting another.
"""

import hashlib
import json
import os
from typing import Any

from vlm_grpo.methods.arguments import GRPOArguments, SFTArguments


def continue_run(training: GRPOArguments | SFTArguments, identity: dict[str, Any], place: str) -> None:
    """Set the run's name, and wandb's id, from `identity` and the output folder's `place`, unless the user did."""
    digest = hashlib.sha256(json.dumps([identity, place], sort_keys=True, default=str).encode()).hexdigest()
    if training.run_name is None:
        training.run_name = f"{place.rstrip('/').rsplit('/', 1)[-1]}-{digest[:8]}"
    if "wandb" in training.report_to:
        os.environ.setdefault("WANDB_RUN_ID", digest[:16])
        os.environ.setdefault("WANDB_RESUME", "allow")
