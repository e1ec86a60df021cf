"""A user's mistake: one clear line on stderr and exit code 2, never a traceback.

Raise `UserError` where a person can mend the cause; wrap a command's `main` in `exits_cleanly`. Our own bugs stay
ordinary exceptions with a full traceback. A full disk and a forbidden file are a user's problem too, told the same way.
"""

import errno
import functools
import os
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

P = ParamSpec("P")

USER_ERROR_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130
BROKEN_PIPE_EXIT_CODE = 141
RAISED_ELSEWHERE = "vlm_grpo.errors.UserError: "
"""What torch puts, after the traceback of a data loader's worker, before the words of an error raised there."""


class UserError(Exception):
    """Something the user can mend. The message is one line: what is wrong, where (file, row), what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def tell(line: str) -> None:
    """Say `line` on stderr; of several processes that were launched together the first one does."""
    if os.environ.get("RANK", "0") == "0":
        print(line, file=sys.stderr, flush=True)


def exits_cleanly(main: Callable[P, None]) -> Callable[P, None]:
    """Turn `UserError`, a full disk and a forbidden file into one line and exit code 2, Ctrl-C into exit code 130.

    A pipe that nobody reads any more ends the command quietly with exit code 141, as it ends other tools.
    """

    @functools.wraps(main)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            main(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of a pipe (`| head`) has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE_EXIT_CODE)
        except KeyboardInterrupt:
            _leave("interrupted; run the same command again to go on", INTERRUPTED_EXIT_CODE)
        except Exception as error:
            line = one_line(error)
            if line is None:
                raise
            _leave(line, USER_ERROR_EXIT_CODE)

    return wrapper


def one_line(error: Exception) -> str | None:
    """What to tell the user about `error`; None when it is a bug of ours."""
    if isinstance(error, UserError):
        return str(error).rpartition(RAISED_ELSEWHERE)[2]
    if _disk_is_full(error):
        return f"no space left on the disk{_where(error)}; free some space and run the same command again"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{os.strerror(error.errno).lower()}{_where(error)}; choose another place or change its permissions"
    return None


def _disk_is_full(error: Exception) -> bool:
    """Native writers (safetensors, Arrow) tell of a full disk in words only."""
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)


def _where(error: Exception) -> str:
    name = error.filename if isinstance(error, OSError) else None
    return f" ({name})" if name else ""


def _leave(message: str, code: int) -> NoReturn:
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.exit(code)
