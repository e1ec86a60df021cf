"""How a command refuses: one line on stderr, exit code 2, no traceback."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def refusal(
    capsys: pytest.CaptureFixture[str], main: Callable[[list[str]], Any], words: Iterable[object], *, alone: bool = True
) -> str:
    """The error line that `main(words)` ends with, having checked that it is one and that the exit code is 2.

    Nothing else may stand on stderr; with `alone=False`, what the command says of its work before it refuses may.
    """
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    assert left.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, lines
    assert not any(line.startswith("Traceback") for line in lines)
    assert lines == errors or not alone, lines
    return errors[0]
