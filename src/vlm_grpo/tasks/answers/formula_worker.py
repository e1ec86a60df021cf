"""Reads and compares formulas, one question a line of JSON on standard input, one answer a line on standard output.

["read", TEXT] -> whether TEXT is a formula; ["same", GOLD, TEXT] -> whether TEXT is the formula GOLD. Run by
`formula_process` with the seconds that each may take; math-verify keeps to them by a signal, here in a main thread.
"""

import json
import logging
import os
import sys
from typing import Any

from math_verify import LatexExtractionConfig, parse, verify

UNHURRIED = 100
"""Seconds for the first formula, which builds the grammar."""


def read(text: str, seconds: int) -> list[Any]:
    """What math-verify makes of `text`, all of which is the formula; empty where it makes nothing of it."""
    whole = f"${text}$"
    return list(
        parse(
            whole,
            extraction_config=[LatexExtractionConfig()],
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=seconds,
        )
    )


def main(seconds: int) -> None:
    """Answer until standard input ends."""
    logging.disable(logging.CRITICAL)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the algebra prints is no answer
    first = read(r"\frac{x}{2}", UNHURRIED)
    verify(first, first, timeout_seconds=UNHURRIED)
    print("true", file=answers, flush=True)
    for line in sys.stdin:
        kind, *texts = json.loads(line)
        values = [read(text, seconds) for text in texts]
        is_so = all(values) and (kind == "read" or verify(*values, timeout_seconds=seconds))
        print(json.dumps(bool(is_so)), file=answers, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
