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
    """`UserError` where a data set is made of one that is unknown, or of itself, or taught by such an arm."""
    for name, entry in study.datasets.items():
        if entry.teacher is not None:
            _check_teacher(study, name, entry.teacher, layers)
        made_of = [name]
        while (of := study.datasets[made_of[-1]].of) is not None:
            keys = ("datasets", made_of[-1], "of")
            check_known(of, study.datasets, layers, *keys, what="data set")
            if of in made_of:
                raise layers.mistake(f"{of!r} is made of itself; one of them is built first", *keys)
            made_of.append(of)


def _check_teacher(study: Study, data: str, teacher: str, layers: Layers) -> None:
    """`UserError` where the arm `teacher` is unknown, trains on no data, or learns from `data` in the end."""
    keys = ("datasets", data, "teacher")
    check_known(teacher, study.arms, layers, *keys, what="arm")
    learnt_from: list[str] = []
    arms = [teacher]
    while arms:
        for link in chain(study, arms.pop(), layers)[1:]:
            source: str | None = study.arms[link].data
            if source is None:
                raise layers.mistake(f"key 'data' is missing: data set {data!r} is taught by this arm", "arms", link)
            while source in study.datasets and source not in learnt_from:
                learnt_from.append(source)
                arms += [one for one in (study.datasets[source].teacher,) if one in study.arms]
                source = study.datasets[source].of
    if data in learnt_from:
        raise layers.mistake(f"{teacher!r} learns from {data!r} itself; name another arm", *keys)
