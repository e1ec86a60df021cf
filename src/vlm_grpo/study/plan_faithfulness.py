"""The stage of a study that reads its reasoning: names looked up, every mistake told in one line."""

from collections.abc import Mapping

from vlm_grpo.faithfulness.probes import PROBES
from vlm_grpo.study.chains import check_known
from vlm_grpo.study.entries import words
from vlm_grpo.study.planned import PlannedEvaluation, PlannedFaithfulness
from vlm_grpo.study.schema import Study
from vlm_grpo.yaml_layers import Layers

SECTION = "faithfulness"


def planned_faithfulness(
    study: Study, evaluations: Mapping[str, PlannedEvaluation], layers: Layers
) -> PlannedFaithfulness | None:
    """What the study's section says; None without one. `UserError` for a name that is unknown or of no effect."""
    entry = study.faithfulness
    if entry is None:
        return None
    if not evaluations:
        raise layers.mistake("it reads the answers to the first evaluation, and there is none", SECTION)
    main, first = next(iter(evaluations.items()))
    asked = (*first.bases, *first.arms)
    for key, names in (("arms", entry.arms), ("probed", entry.probed)):
        for name in names:
            what = f"base or arm that the first evaluation, {main!r}, asks is"
            check_known(name, asked, layers, SECTION, key, what=what)
    for probe in entry.probes:
        check_known(probe, PROBES, layers, SECTION, "probes", what="probe")
    if bool(entry.probed) != bool(entry.probes):
        named, other = ("probed", "probes") if entry.probed else ("probes", "probed")
        raise layers.mistake(f"has no effect without {other}; say both or neither", SECTION, named)
    for pair in entry.apart:
        for name in pair:
            check_known(name, entry.probed, layers, SECTION, "apart", what="probed base or arm")
    if entry.arguments and not entry.probed:
        raise layers.mistake("has no effect where nobody is probed; remove it", SECTION, "arguments")
    return PlannedFaithfulness(
        read=tuple(entry.arms),
        probed=tuple(entry.probed),
        probes=tuple(probe for probe in PROBES if probe in entry.probes),
        arguments=words(entry.arguments, layers, SECTION, "arguments"),
        apart=tuple((using, other) for using, other in entry.apart),
    )
