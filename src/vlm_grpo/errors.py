"""A user's mistake: one clear line on stderr and exit code 2, never a traceback.

Raise `UserError` where a person can mend the cause; wrap a command's `main` in `exits_cleanly`. Our own bugs stay
ordinary exceptions with a full traceback. A full disk is a user's problem too, so it is told the same way.
"""

import errno
import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")

USER_ERROR_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130


class UserError(Exception):
    """Something the user can mend. The message is one line: what is wrong, where (file, row), what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def exits_cleanly(main: Callable[P, None]) -> Callable[P, None]:
    """Turn `UserError` and a full disk into one line and exit code 2, Ctrl-C into exit code 130."""

    @functools.wraps(main)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            main(*args, **kwargs)
        except UserError as error:
            _leave(str(error), USER_ERROR_EXIT_CODE)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            where = f" while writing {error.filename}" if error.filename else ""
            _leave(f"no space left on the disk{where}; free some space and run the same command again",
                   USER_ERROR_EXIT_CODE)
        except KeyboardInterrupt:
            _leave("interrupted; run the same command again to go on", INTERRUPTED_EXIT_CODE)

    return wrapper


def _leave(message: str, code: int) -> None:
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.exit(code)
