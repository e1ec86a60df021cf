"""The methods that are registered, and that asking for them loads no trainer."""

import subprocess
import sys
from importlib import import_module

import pytest

from vlm_grpo.methods.registry import METHODS


def test_the_registry_imports_nothing_heavy():
    heavy = "{'torch', 'trl', 'transformers', 'peft', 'datasets'}"
    code = f"import sys, vlm_grpo.methods.registry; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_registered_under_the_kind_that_its_command_writes(name):
    method = METHODS[name]
    assert method.name == name
    assert name == import_module(f"vlm_grpo.methods.{name}.command").KIND
    assert callable(import_module(method.module).main)
