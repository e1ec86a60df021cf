"""What a pair of named things is called in a table or a file: `base-sft`."""

from collections.abc import Iterable
from itertools import combinations

from vlm_grpo.errors import UserError


def pair_names(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Every pair of `names` by what it is called; `UserError` where two pairs would be called the same.

    >>> pair_names(["base", "sft", "grpo"])
    {'base-sft': ('base', 'sft'), 'base-grpo': ('base', 'grpo'), 'sft-grpo': ('sft', 'grpo')}
    """
    called: dict[str, tuple[str, str]] = {}
    for pair in combinations(names, 2):
        name = "-".join(pair)
        if name in called:
            (a, b), (c, d) = called[name], pair
            raise UserError(f"{a!r} with {b!r} and {c!r} with {d!r} would both be called {name!r}; rename one of them")
        called[name] = pair
    return called
