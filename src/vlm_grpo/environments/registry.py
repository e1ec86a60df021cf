"""The environments known by name. A new one is one file with an `ENVIRONMENT` and one line here: its module's name."""

from importlib import import_module

from vlm_grpo.environments.base import Environment, Protocol
from vlm_grpo.errors import UserError

MODULES = ("double_check", "zoom")
"""Below `vlm_grpo.environments`."""

ENVIRONMENTS: dict[str, Environment] = {
    name: import_module(f"vlm_grpo.environments.{name}").ENVIRONMENT for name in MODULES
}


def settled(name: str, *, model_type: str, model: str) -> tuple[Environment, Protocol]:
    """The environment called `name` and how it talks with `model`, which is of `model_type`.

    `UserError` where there is none of that name, or where it cannot talk with the model.
    """
    environment = by_name(name)
    protocol = environment.protocol(model_type)
    if protocol is None:
        raise UserError(
            f"environment {name} cannot talk with {model} (model_type {model_type}); it can with "
            f"{', '.join(environment.protocols or ())}"
        )
    return environment, protocol


def by_name(name: str) -> Environment:
    """The environment called `name`; `UserError` when there is none."""
    if name not in ENVIRONMENTS:
        raise UserError(f"unknown environment {name!r}; known: {', '.join(ENVIRONMENTS)}")
    return ENVIRONMENTS[name]
