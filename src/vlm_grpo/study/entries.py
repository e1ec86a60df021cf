"""One entry of a study's YAML made ready to be carried out: names looked up, words taken apart, variables filled in."""

import shlex

from vlm_grpo.methods.registry import METHODS
from vlm_grpo.study.chains import chain, check_known
from vlm_grpo.study.planned import PlannedArm, PlannedBase, PlannedData
from vlm_grpo.study.schema import ArmEntry, Study
from vlm_grpo.yaml_layers import Layers, fill_variables


def planned_data(study: Study, name: str, layers: Layers) -> PlannedData:
    """The data set `name`."""
    entry = study.datasets[name]
    keys = ("datasets", name)
    command = words(entry.command, layers, *keys, "command")
    folder = filled(entry.folder, layers, *keys, "folder")
    return PlannedData(folder=folder, command=command, of=entry.of, teacher=entry.teacher)


def planned_base(study: Study, name: str, layers: Layers) -> PlannedBase:
    """The base `name`."""
    entry = study.bases[name]
    return PlannedBase(
        model=filled(entry.model, layers, "bases", name, "model"),
        evaluation=filled(entry.evaluation, layers, "bases", name, "evaluation"),
    )


def planned_arm(study: Study, name: str, layers: Layers, *, level: str | None = None) -> PlannedArm:
    """The arm `name`, or its copy on the data set `level`, which starts from the copy of its start."""
    entry = study.arms[name]
    keys = ("arms", name)
    base = chain(study, name, layers)[0]
    check_known(entry.method, METHODS, layers, *keys, "method", what="method")
    if entry.start in study.arms:
        above = study.arms[entry.start]
        check_known(above.method, METHODS, layers, "arms", entry.start, "method", what="method")
        if not METHODS[above.method].merges and above.full_finetuning is None:
            flaw = f"{entry.start!r} has no checkpoint to start from: {above.method} does not merge; name another start"
            raise layers.mistake(flaw, *keys, "start")
        if level is None and above.data is None:
            raise layers.mistake(f"key 'data' is missing: {name!r} starts from this arm", "arms", entry.start)
    data = level if level is not None else entry.data
    assert data is not None
    check_known(data, study.datasets, layers, *keys, "data", what="data set")
    asked = (*keys, "evaluation") if entry.evaluation is not None else ("bases", base, "evaluation")
    return PlannedArm(
        start=f"{entry.start}_{level}" if level is not None and entry.start in study.arms else entry.start,
        base=base,
        method=METHODS[entry.method],
        data=data,
        training=filled(entry.training, layers, *keys, "training"),
        arguments=(*_of_weights(entry), *words(entry.arguments, layers, *keys, "arguments")),
        evaluation=filled(entry.evaluation or study.bases[base].evaluation, layers, *asked),
        asks=entry.cluster,
        is_whole=entry.full_finetuning is not None,
    )


def _of_weights(entry: ArmEntry) -> tuple[str, ...]:
    """The words that say what of the model an arm trains; the plan depends on it, so its config has no say."""
    return ("--full_finetuning", entry.full_finetuning) if entry.full_finetuning is not None else ()


def filled(text: str, layers: Layers, *keys: str) -> str:
    """`text` with its `${VARIABLES}` filled in."""
    return str(fill_variables(text, where=f"config {layers.source(*keys)}: {'.'.join(keys)}"))


def words(text: str, layers: Layers, *keys: str) -> tuple[str, ...]:
    """The words of `text`, as a shell takes them apart, `${VARIABLES}` filled in afterwards."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise layers.mistake(f"{str(error)[0].lower()}{str(error)[1:]} in {text!r}", *keys) from None
    return tuple(filled(word, layers, *keys) for word in words)
