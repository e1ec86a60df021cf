"""What bias reports add to a study: arms trained once more on each level's data set, and what all of them answer."""

from dataclasses import dataclass, field

from vlm_grpo.study.chains import chain, check_known
from vlm_grpo.study.entries import planned_arm, planned_base
from vlm_grpo.study.planned import PlannedArm, PlannedBase, Question
from vlm_grpo.study.schema import Study
from vlm_grpo.yaml_layers import Layers


@dataclass(frozen=True)
class BiasCopies:
    """Bases and arms as NAME_DATA, and the rows that each of them answers, by its name and the end of the folder's."""

    bases: dict[str, PlannedBase] = field(default_factory=dict)
    arms: dict[str, PlannedArm] = field(default_factory=dict)
    questions: dict[tuple[str, str], Question] = field(default_factory=dict)


def bias_copies(study: Study, layers: Layers) -> BiasCopies:
    """All copies that the study's bias reports ask for; bases are asked on the reference level alone."""
    copies = BiasCopies()
    for bias, report in study.bias_reports.items():
        keys = ("bias_reports", bias)
        check_known(report.reference, report.levels, layers, *keys, "reference", what="level")
        for base in report.bases:
            check_known(base, study.bases, layers, *keys, "bases", what="base")
        for arm in report.arms:
            check_known(arm, study.arms, layers, *keys, "arms", what="arm")
        for level, data in report.levels.items():
            check_known(data, study.datasets, layers, *keys, "levels", level, what="data set")
            names = [f"{arm}_{data}" for arm in report.arms]
            for arm in report.arms:
                for link in chain(study, arm, layers)[1:]:
                    copies.arms[f"{link}_{data}"] = planned_arm(study, link, layers, level=data)
            if level == report.reference:
                names += [f"{base}_{data}" for base in report.bases]
                for base in report.bases:
                    copies.bases[f"{base}_{data}"] = planned_base(study, base, layers)
            for split in report.splits:
                copies.questions.update(((name, bias_on(study, split)), Question(data, split)) for name in names)
    return copies


def bias_on(study: Study, split: str) -> str:
    """The end of the names of the folders that answers to `split` lie in: none for the first report's first split."""
    first = next(iter(study.bias_reports.values())).splits[0]
    return "" if split == first else f"_on_{split}"
