"""The environments known by name. A new one is one file with an `ENVIRONMENT` and one line here: its module's name."""

from importlib import import_module

from vlm_grpo.environments.base import Environment
from vlm_grpo.errors import UserError

MODULES = ("double_check", "zoom")
"""Below `vlm_grpo.environments`."""

ENVIRONMENTS: dict[str, Environment] = {
    name: import_module(f"vlm_grpo.environments.{name}").ENVIRONMENT for name in MODULES
}


def by_name(name: str) -> Environment:
    """The environment called `name`; `UserError` when there is none."""
    if name not in ENVIRONMENTS:
        raise UserError(f"unknown environment {name!r}; known: {', '.join(ENVIRONMENTS)}")
    return ENVIRONMENTS[name]
