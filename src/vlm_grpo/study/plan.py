"""From a study's YAML to its plan, every mistake in it told in one line; nothing is run, no other file is read.

`open_plan` is what the workflow calls. The plan itself, and where each result goes, is in `planned.py`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlm_grpo.study.bias_copies import bias_copies
from vlm_grpo.study.chains import chain, check_data_sets, check_known
from vlm_grpo.study.entries import filled, planned_arm, planned_base, planned_data, words
from vlm_grpo.study.plan_faithfulness import planned_faithfulness
from vlm_grpo.study.planned import JudgedPair, Plan, PlannedArm, PlannedEvaluation, Question
from vlm_grpo.study.schema import Study, read_study
from vlm_grpo.yaml_layers import COMMAND_LINE, Layers, read_layers


def open_plan(files: Sequence[Path], overrides: Mapping[str, Any] | None = None) -> Plan:
    """The plan of the study in `files` (the later over the earlier), with the command line's `overrides` over them."""
    layers = Layers(COMMAND_LINE)
    for file in files:
        layers.put(read_layers(file))
        layers.name = str(file)
    layers.add(_with_numbers(overrides or {}), COMMAND_LINE)
    return make_plan(layers)


def _with_numbers(value: Any) -> Any:
    """`value` with the whole numbers in its lists as numbers: Snakemake reads `seeds=[1,2]` as two texts."""
    if isinstance(value, Mapping):
        return {key: _with_numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [int(part) if isinstance(part, str) and part.isdecimal() else _with_numbers(part) for part in value]
    return value


def make_plan(layers: Layers) -> Plan:
    """The plan of the study that `layers` say; `UserError` where it cannot be carried out as it stands."""
    study = read_study(layers)
    check_data_sets(study, layers)
    arms = {name: planned_arm(study, name, layers) for name, entry in study.arms.items() if entry.data is not None}
    bases = {name: planned_base(study, name, layers) for name in study.bases}
    evaluations = _evaluations(study, list(arms), layers)
    questions = {
        (name, evaluation.on): evaluation.question
        for evaluation in evaluations.values()
        for name in (*evaluation.bases, *evaluation.arms)
    }
    pairs = _pairs(study, arms, evaluations, layers)
    _check_effects(study, evaluations, layers)
    copies = bias_copies(study, layers)
    _check_places(study, [*bases, *arms, *copies.bases, *copies.arms], pairs, layers)
    return Plan(
        study=study,
        results=filled(study.results, layers, "results"),
        work=filled(study.work, layers, "work"),
        data={name: planned_data(study, name, layers) for name in study.datasets},
        bases=bases | copies.bases,
        arms=arms | copies.arms,
        evaluations=evaluations,
        questions=questions | copies.questions,
        pairs=pairs,
        judge_arguments=words(study.judge.arguments, layers, "judge", "arguments") if study.judge else (),
        faithfulness=planned_faithfulness(study, evaluations, layers),
    )


def _evaluations(study: Study, arms: list[str], layers: Layers) -> dict[str, PlannedEvaluation]:
    evaluations: dict[str, PlannedEvaluation] = {}
    for name, entry in study.evaluations.items():
        keys = ("evaluations", name)
        check_known(entry.data, study.datasets, layers, *keys, "data", what="data set")
        asked = entry.arms if entry.arms is not None else [*study.bases, *arms]
        for one in asked:
            check_known(one, [*study.bases, *study.arms], layers, *keys, "arms", what="base or arm")
            if one in study.arms and one not in arms:
                raise layers.mistake(f"key 'data' is missing: evaluation {name!r} asks this arm", "arms", one)
        evaluations[name] = PlannedEvaluation(
            on=f"_on_{name}" if evaluations else "",
            question=Question(entry.data, entry.split, words(entry.arguments, layers, *keys, "arguments")),
            bases=tuple(one for one in asked if one in study.bases),
            arms=tuple(one for one in asked if one in arms),
        )
    return evaluations


def _pairs(
    study: Study, arms: Mapping[str, PlannedArm], evaluations: Mapping[str, PlannedEvaluation], layers: Layers
) -> dict[str, JudgedPair]:
    """The judged pairs by the name of their folders: the arm's beside its own base, FIRST-SECOND for any other pair."""
    pairs: dict[str, JudgedPair] = {}
    if study.judge is None:
        return pairs
    if not evaluations:
        raise layers.mistake("it judges the answers to the first evaluation, and there is none", "judge")
    main, first_evaluation = next(iter(evaluations.items()))
    asked = (*first_evaluation.bases, *first_evaluation.arms)
    for first, second in study.judge.pairs:
        keys = ("judge", "pairs")
        for one in (first, second):
            check_known(one, asked, layers, *keys, what=f"base or arm that the first evaluation, {main!r}, asks is")
        if first not in arms and second not in arms:
            raise layers.mistake(f"[{first}, {second}] has no arm; judge a base beside an arm, or two arms", *keys)
        beside_its_base = second in arms and arms[second].base == first
        place = second if beside_its_base else f"{first}-{second}".replace("/", ".")
        if first == second or place in pairs:
            raise layers.mistake(f"[{first}, {second}] says one thing twice; remove it", *keys)
        pairs[place] = JudgedPair(first, second)
    return pairs


def _check_effects(study: Study, evaluations: Mapping[str, PlannedEvaluation], layers: Layers) -> None:
    """`UserError` for an arm that is trained for nothing."""
    asked = {arm for evaluation in evaluations.values() for arm in evaluation.arms}
    asked |= {arm for report in study.bias_reports.values() for arm in report.arms}
    asked |= {entry.teacher for entry in study.datasets.values() if entry.teacher is not None}
    used = {link for arm in asked for link in chain(study, arm, layers)}
    for arm, entry in study.arms.items():
        for name in entry.published:
            if name not in evaluations or arm not in evaluations[name].arms:
                answers = ", ".join(name for name in evaluations if arm in evaluations[name].arms)
                why = f"no evaluation {name!r} asks this arm; those that do: {answers or 'none'}"
                raise layers.mistake(why, "arms", arm, "published")
    for arm, entry in study.arms.items():
        if arm not in used:
            why = "no evaluation asks it" if entry.data is not None else "it has no 'data' and no bias report names it"
            raise layers.mistake(
                f"is trained for nothing: {why}, nor does an arm that is asked start from it", "arms", arm
            )


def _check_places(study: Study, models: list[str], pairs: Mapping[str, JudgedPair], layers: Layers) -> None:
    """`UserError` where two things would be written to one folder."""
    others = [place for place, pair in pairs.items() if place != pair.second]
    work = Counter([*models, *others, "logs"])
    fixed = ("across", "alignment", "faithfulness", "site")
    results = Counter([*list(study.evaluations)[1:], *study.bias_reports, *fixed])
    for place, count in [*work.items(), *results.items()]:
        if count > 1:
            raise layers.mistake(f"two results would be called {place!r}; rename an arm, an evaluation or a report")
