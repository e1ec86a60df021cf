"""One name for each level of a bias: numbers that are equal are one level, however they are written.

`0.90`, `.9` and `9e-1` are the level `0.9`; a name that is no number (`acc_0.69`, `published`) stays as it is.
"""

import re

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def canonical_level(text: str) -> str:
    """The name of the level that `text` means.

    >>> [canonical_level(text) for text in ("0.90", "0.0", "1.", "acc_0.690")]
    ['0.9', '0', '1', 'acc_0.690']
    """
    if _NUMBER.fullmatch(text) is None:
        return text
    number = float(text)
    return str(int(number)) if number.is_integer() else repr(number)
