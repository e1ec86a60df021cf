import subprocess
import sys
from pathlib import Path

import pytest

from vlm_grpo.errors import UserError, exits_cleanly

COMMAND = """
import os, signal
from vlm_grpo.errors import UserError, exits_cleanly

@exits_cleanly
def main() -> None:
    print("before")
    {body}

main()
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND.format(body=body)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "body, message",
    [
        ("raise UserError('rows.jsonl line 3:\\n  no label')", "rows.jsonl line 3: no label"),
        ("open('/dev/full', 'w', buffering=1).write('x\\n')", "no space left on the disk"),
        ("raise RuntimeError('I/O error: No space left on device (os error 28)')", "no space left on the disk"),
        ("raise PermissionError(13, 'x', '/root/a')", "permission denied (/root/a)"),
        ("raise OSError(30, 'x', '/a')", "read-only file system (/a)"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_2(body: str, message: str) -> None:
    done = run(body)
    assert done.returncode == 2
    assert done.stdout == "before\n"
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1


def test_a_bug_keeps_its_traceback() -> None:
    for body in ("raise KeyError('a')", "open('/does/not/exist')"):
        done = run(body)
        assert done.returncode == 1
        assert "Traceback" in done.stderr


def test_success_and_exit_codes_pass_through() -> None:
    assert run("pass").returncode == 0
    assert run("raise SystemExit(5)").returncode == 5


def test_an_interrupt_says_how_to_go_on() -> None:
    # A shell starts what it puts in the background, as CI may the tests, with SIGINT ignored.
    done = run("signal.signal(signal.SIGINT, signal.default_int_handler); os.kill(os.getpid(), signal.SIGINT)")
    assert done.returncode == 130
    assert done.stderr == "error: interrupted; run the same command again to go on\n"


def test_a_message_is_one_line_whatever_it_quotes(tmp_path: Path) -> None:
    assert str(UserError("a\n   b\tc")) == "a b c"


class _Refusing:
    """A data set whose rows cannot be used."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        raise UserError(f"image {index} is missing; mend it")


def test_an_error_in_a_loaders_worker_is_told_without_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    from torch.utils.data import DataLoader

    @exits_cleanly
    def main() -> None:
        list(DataLoader(_Refusing(), num_workers=1))

    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: image 0 is missing; mend it\n"
