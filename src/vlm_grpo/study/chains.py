"""From which base an arm comes, and over which other arms."""

from collections.abc import Collection, Hashable
from difflib import get_close_matches

from vlm_grpo.study.schema import Study
from vlm_grpo.yaml_layers import Layers


def check_known(name: str, known: Collection[str], layers: Layers, *keys: Hashable, what: str) -> None:
    """`UserError` where `name`, said under `keys`, is none of `known`."""
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}"
        raise layers.mistake(f"no {what} {name!r}; {hint}", *keys)


def chain(study: Study, arm: str, layers: Layers) -> list[str]:
    """The names of a base and of the arms trained one upon the other from it, `arm` the last.

    `UserError` where an arm starts from a name that is unknown, or from itself.
    """
    links = [arm]
    while links[0] in study.arms:
        first = links[0]
        start = study.arms[first].start
        check_known(start, [*study.bases, *study.arms], layers, "arms", first, "start", what="base or arm")
        if start in links:
            cycle = " → ".join([start, *links[: links.index(start) + 1]])
            raise layers.mistake(
                f"starts from itself: {cycle}; let one of them start from a base", "arms", start, "start"
            )
        links.insert(0, start)
    return links


def check_data_sets(study: Study, layers: Layers) -> None:
    """`UserError` where a data set is made of one that is unknown, or of itself."""
    for name in study.datasets:
        made_of = [name]
        while (of := study.datasets[made_of[-1]].of) is not None:
            keys = ("datasets", made_of[-1], "of")
            check_known(of, study.datasets, layers, *keys, what="data set")
            if of in made_of:
                raise layers.mistake(f"{of!r} is made of itself; one of them is built first", *keys)
            made_of.append(of)
