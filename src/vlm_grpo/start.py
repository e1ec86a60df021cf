"""Start a command by the name of its module, or say in one line why this Python cannot run it, with exit code 2.

The scripts of `alignment_judge/`, `python -m vlm_grpo.judge` and `python -m vlm_grpo.alignment` begin here. Needs the
standard library only, of any Python 3.6 or later: what is missing is told, not left to a traceback.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
PACKAGES = ("numpy", "pydantic", "yaml")
"""Without these there is no environment for the package at all; others are told when a command misses them."""
CHECKOUT = Path(__file__).resolve().parents[2]


def start(module: str) -> None:
    """Import `module` and call its `main`."""
    if sys.version_info < OLDEST_PYTHON:
        _leave("is Python {}.{}, and 3.11 is the oldest that will do".format(*sys.version_info))
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            _leave(f"lacks the package {name}")
    try:
        importlib.import_module(module).main()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == __package__:  # a module of ours is a bug of ours
            raise
        _leave(f"lacks the package {missing}")


def _leave(reason: str) -> None:
    print(f"error: {sys.executable} {reason}; {_remedy()}", file=sys.stderr, flush=True)
    sys.exit(2)


def _remedy() -> str:
    """What to type for an environment with the packages."""
    environment = CHECKOUT / "scripts" / "env.sh"
    if not environment.exists():
        return "install the wheel of vlm-grpo with all that it depends on, in a Python of 3.11 or newer"
    if os.environ.get("PIXI_PROJECT_ROOT"):
        return "type: pixi run setup (then the same command again)"
    return f"type: source {os.path.relpath(str(environment))} (then the same command again)"
