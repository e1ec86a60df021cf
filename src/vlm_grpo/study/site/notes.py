"""What must not be concluded from a study, said from its own data.

Each rule looks at one thing and says nothing where there is nothing to say; thresholds are named.
"""

from collections.abc import Callable, Iterator
from statistics import mean

from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site.source import Source

UNPARSED_FROM, CUT_FROM, IDLE_FROM = 0.02, 0.01, 0.5
LEVEL = 0.05


def notes(source: Source) -> list[str]:
    """One sentence or two each."""
    return [note for rule in RULES for note in rule(source)]


def _embedded(source: Source) -> Iterator[str]:
    models = {run: arm.manifest["config"]["model"] for run, arm in source.runs.items()}
    small = next((model for model in models.values() if str(model).startswith("embedded:")), None)
    if small is not None:
        yield f"The base {small} is a tiny model that ships with the package: nothing here is about real models."


def _seeds(source: Source) -> Iterator[str]:
    trained = {arm_of(run) for run in source.trainings}
    alone = [arm for arm in source.arms if arm in trained and source.summary["spread"][arm]["runs"] == 1]
    if alone:
        arms = _listed(alone)
        yield (
            f"One seed trained {arms}: intervals say how sure one is of these weights on more such rows, "
            "not what another training of the same arm would give."
        )


def _rows(source: Source) -> Iterator[str]:
    widest = max(source.summary["arms"].values(), key=lambda arm: arm["ci_high"] - arm["ci_low"])
    points = 50 * (widest["ci_high"] - widest["ci_low"])
    yield f"With {widest['n']} rows, an accuracy is known to about ±{points:.1f} points."
    for scores in source.runs.values():
        whole = scores.scores["split_rows"]
        if scores.scores["n"] < whole:
            yield f"Only {scores.scores['n']} of the split's {whole} rows were asked."
            break


def _unparsed(source: Source) -> Iterator[str]:
    for run, scores in source.summary["runs"].items():
        share = 1 - scores["parse_rate"]
        if share >= UNPARSED_FROM:
            count = round(share * scores["n"])
            yield (
                f"{run}: {count} of {scores['n']} answers cannot be read and count as not right ({share:.1%}); "
                "part of a difference may be form."
            )


def _cut(source: Source) -> Iterator[str]:
    for run, scores in source.summary["runs"].items():
        if scores["clip_rate"] >= CUT_FROM:
            yield f"{run}: {scores['clip_rate']:.1%} of {scores['n']} completions were cut off at the length limit."


def _asked_otherwise(source: Source) -> Iterator[str]:
    asked = {run: (s["prompt"], s["answers"]) for run, s in source.summary["runs"].items()}
    if len(set(asked.values())) > 1:
        each = "; ".join(f"{run}: prompt {prompt}, answers {answers}" for run, (prompt, answers) in asked.items())
        yield f"Not all runs are asked in the same way ({each}), so differences hold the prompt's part too."


def _undecided(source: Source) -> Iterator[str]:
    pairs = [pair for pair in source.summary["pairs"].values() if pair["holm_p"] >= LEVEL]
    if pairs:
        named = _listed([f"{pair['first']} and {pair['second']} (p = {pair['holm_p']:.2g})" for pair in pairs])
        yield f"Not told apart on these rows, after Holm: {named}. That is no proof that they are equal."


def _reasoning(source: Source) -> Iterator[str]:
    rates = {run: s["reasoning_rate"] for run, s in source.summary["runs"].items() if "reasoning_rate" in s}
    silent = [run for run, rate in rates.items() if rate < 0.5 < max(rates.values())]
    if silent:
        yield f"{_listed(silent)}: most answers come without reasoning, so there is nothing of it to judge."


def _idle(source: Source) -> Iterator[str]:
    for run, training in source.trainings.items():
        shares = [s["groups/without_variance"] for s in training.steps if "groups/without_variance" in s]
        last = shares[-max(1, len(shares) // 10) :]
        if last and mean(last) >= IDLE_FROM:
            yield (
                f"{run}: at the end {mean(last):.0%} of the groups had no variance and taught nothing; "
                "more steps of the same would change little."
            )


def _judge(source: Source) -> Iterator[str]:
    judges = sorted({v.judge for said in source.verdicts.values() for v in said.values()})
    if judges and not source.is_judge_checked:
        yield (
            f"The judge ({_listed(judges)}) has not been checked against people on these rows: "
            "shares of misaligned reasoning are the judge's, not the truth."
        )
    missing = sum(v.aligns is None for said in source.verdicts.values() for v in said.values())
    if missing:
        yield f"{missing} verdicts are missing; they are left out, not counted as aligned."


def _sampled(source: Source) -> Iterator[str]:
    if any(arm.manifest["config"].get("temperature", 0) > 0 for arm in source.runs.values()):
        yield "Answers were sampled, one a row: another draw gives other answers."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


RULES: tuple[Callable[[Source], Iterator[str]], ...] = (
    *(_embedded, _seeds, _rows, _asked_otherwise, _unparsed, _cut, _sampled, _undecided, _reasoning, _idle, _judge),
)
