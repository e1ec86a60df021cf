"""Text that UTF-8 can carry: lone surrogates, which JSON escapes can spell and no encoding can, become U+FFFD."""

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    r"""`text` with U+FFFD for every lone surrogate.

    >>> ascii(well_formed("a" + chr(0xD83D) + "b"))
    "'a\\ufffdb'"
    """
    return _SURROGATE.sub("\ufffd", text)
