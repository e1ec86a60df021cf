"""Split a whole number among parties as close to their quotas as bounds allow."""

import heapq
from collections.abc import Mapping


def apportion(
    total: int, quotas: Mapping[str, float], *, lower: Mapping[str, int], upper: Mapping[str, int]
) -> dict[str, int]:
    """Whole numbers that add up to `total`, between `lower` and `upper`, by largest remainder.

    Everybody starts at the lower bound; each further unit goes to whoever is furthest below its quota, the first in
    alphabetical order among equals. `ValueError` when the bounds leave no room for `total`.
    """
    if not sum(lower.values()) <= total <= sum(upper.values()):
        raise ValueError(f"{total} is not between {sum(lower.values())} and {sum(upper.values())}")
    given = dict(lower)
    waiting = [(lower[name] - quotas[name], name) for name in quotas if lower[name] < upper[name]]
    heapq.heapify(waiting)
    for _ in range(total - sum(lower.values())):
        _, name = heapq.heappop(waiting)
        given[name] += 1
        if given[name] < upper[name]:
            heapq.heappush(waiting, (given[name] - quotas[name], name))
    return given
