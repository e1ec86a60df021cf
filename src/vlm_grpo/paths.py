"""Paths as people write them: a leading `~` means home wherever a folder or file is named.

The shell expands it in `--out ~/runs`, but not in `--out=~/runs`, in quotes, in a YAML file or in a variable, and
libraries disagree: transformers expands it, `pathlib` does not. So it is done once, where a setting is read: `config`
does it for every setting of a training, merge or evaluation, and parsers of other commands say `type=user_path`.

Left out: `~name`, somebody else's home. It is an ordinary folder's name here, as in every `pathlib.Path`.
"""

import os
import pwd
from pathlib import Path

from vlm_grpo.errors import UserError


def expand_home(text: str) -> str:
    """`text` with a leading `~` or `~/` replaced by home: `$HOME`, or the account's where that is unset or empty.

    Text that begins otherwise comes back as it is. `UserError` where the account has no home either.
    """
    if text != "~" and not text.startswith("~/"):
        return text
    return home() + text[1:]


def home() -> str:
    """The user's home folder."""
    if named := os.environ.get("HOME"):
        return named.rstrip("/")
    try:
        return pwd.getpwuid(os.getuid()).pw_dir.rstrip("/")
    except KeyError:
        raise UserError("~ means home, but HOME is not set and this account has none; set HOME") from None


def expand_word(word: str) -> str:
    """A word of the command line with a leading `~/` of its value as home: `~/x` as well as `--setting=~/x`."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return f"{flag}{equals}{expand_home(value)}"


def user_path(text: str) -> Path:
    """The path that a word of the command line names, for `add_argument(..., type=user_path)`."""
    return Path(expand_home(text))
