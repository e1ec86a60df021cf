"""Which environment answers the model in a run, over which protocol, and what it tells the model beforehand."""

from dataclasses import replace

from vlm_grpo.adapters.files import model_type
from vlm_grpo.environments.base import Environment, Protocol
from vlm_grpo.environments.registry import settled
from vlm_grpo.methods.inputs import TrainingInputs


def settle_environment(name: str | None, inputs: TrainingInputs) -> tuple[Environment | None, Protocol, TrainingInputs]:
    """The environment called `name`, its protocol with the base, and the rows with what it tells the model beforehand.

    The rows keep their fingerprint; the setting is part of the run's identity. `UserError` where it cannot talk with
    the base.
    """
    if name is None:
        return None, "text", inputs
    environment, protocol = settled(name, model_type=model_type(inputs.base.path), model=inputs.base.name)
    rows = [environment.asked(row, root=inputs.data.root, protocol=protocol) for row in inputs.data.rows]
    return environment, protocol, replace(inputs, data=replace(inputs.data, rows=rows))
