"""The words that the report commands take: which evaluations, reward curves and stages a report is made of."""

from collections.abc import Sequence

from vlm_grpo.study.bias_copies import bias_on
from vlm_grpo.study.planned import Plan


def run_name(plan: Plan, arm: str, seed: int) -> str:
    """The arm's name, with the seed where there are several."""
    return arm if len(plan.study.seeds) == 1 else f"{arm}@{seed}"


def base_words(plan: Plan, evaluation: str) -> list[str]:
    """`--arm=NAME=FOLDER` for each base that answers `evaluation`."""
    asked = plan.evaluations[evaluation]
    return [f"--arm={base}={plan.answers(base, '', asked.on)}" for base in asked.bases]


def arm_words(plan: Plan, evaluation: str) -> list[str]:
    """`--arm=NAME=FOLDER` for each run of each arm that answers `evaluation`."""
    asked = plan.evaluations[evaluation]
    return [f"--arm={word}" for word in _runs(plan, asked.arms, f"evaluation{asked.on}")]


def metrics_words(plan: Plan, evaluation: str) -> list[str]:
    """`--metrics=NAME=FILE` for each run that answers `evaluation` and has a reward curve."""
    arms = [arm for arm in plan.evaluations[evaluation].arms if plan.arms[arm].method.rewarded]
    return [f"--metrics={word}" for word in _runs(plan, arms, "train/metrics.jsonl")]


def stage_words(plan: Plan) -> list[str]:
    """`--stage=NAME=FOLDER` for each stage whose time a report tells beside the evaluations'."""
    arms = plan.studied
    data = list(dict.fromkeys(plan.arms[arm].data for arm in arms))
    names = ["data"] if len(data) == 1 else [f"data {name}" for name in data]
    stages = [f"{stage}={plan.data[name].folder}" for stage, name in zip(names, data, strict=True)]
    stages += [f"train {word}" for word in _runs(plan, arms, "train")]
    stages += [f"merge {word}" for word in _runs(plan, [a for a in arms if plan.arms[a].merges], "merged")]
    return [f"--stage={stage}" for stage in stages]


def quadrant_words(plan: Plan, seed: int | str) -> list[str]:
    """`NAME=FOLDER` for each base or arm whose reasoning is read, the arms' runs with `seed`."""
    assert plan.faithfulness is not None
    return [f"{_named(plan, name, seed)}={plan.answers(name, seed)}" for name in plan.faithfulness.read]


def faithfulness_words(plan: Plan) -> list[str]:
    """What the report on reasoning is made of: evaluations, logged steps, probes, pairs to be told apart."""
    stage = plan.faithfulness
    assert stage is not None
    runs = [(name, seed) for name in stage.read for seed in plan.seeds_of(name)]
    logged = [(n, seed) for n, seed in runs if n in plan.arms and plan.arms[n].method.rewarded]
    probed = [(name, seed) for name in stage.probed for seed in plan.seeds_of(name)]
    return [
        *(f"--arm={_named(plan, name, seed)}={plan.answers(name, seed)}" for name, seed in runs),
        *(f"--metrics={_named(plan, n, seed)}={plan.run(n, seed)}/train/metrics.jsonl" for n, seed in logged),
        *(f"--probes={_named(plan, name, seed)}={plan.probes(name, seed)}" for name, seed in probed),
        *(f"--apart={using}={other}" for using, other in stage.apart),
    ]


def _named(plan: Plan, name: str, seed: int | str) -> str:
    return name if name in plan.bases else run_name(plan, name, int(seed))


def across_words(plan: Plan) -> list[str]:
    """`--report=EVALUATION=FOLDER` for each evaluation, and `--published=ARM/EVALUATION=SHARE` for each figure."""
    folders = {name: plan.results if name == plan.main else f"{plan.results}/{name}" for name in plan.evaluations}
    reports = [f"--report={name}={folder}" for name, folder in folders.items()]
    arms = plan.study.arms
    published = [(f"{arm}/{name}", share) for arm in plan.studied for name, share in arms[arm].published.items()]
    return [*reports, *(f"--published={name}={share}" for name, share in published)]


def _runs(plan: Plan, arms: Sequence[str], place: str) -> list[str]:
    seeds = plan.study.seeds
    return [f"{run_name(plan, arm, seed)}={plan.run(arm, seed)}/{place}" for arm in arms for seed in seeds]


def bias_runs(plan: Plan, bias: str) -> list[tuple[str, str]]:
    """Each evaluation of a bias report: its arm as ARM:LEVEL, with the seed where there are several, and its folder."""
    report = plan.study.bias_reports[bias]
    reference = report.levels[report.reference]
    runs = [(base, f"{base}_{reference}", 0, split) for base in report.bases for split in report.splits]
    runs += [
        (run_name(plan, f"{arm}:{level}", seed), f"{arm}_{data}", seed, split)
        for arm in report.arms
        for level, data in report.levels.items()
        for seed in plan.study.seeds
        for split in report.splits
    ]
    return [(name, plan.answers(model, seed, bias_on(plan.study, split))) for name, model, seed, split in runs]
