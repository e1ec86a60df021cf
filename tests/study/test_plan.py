"""What a study's YAML comes to: chains of arms, evaluations across data sets, judged pairs, biased copies; mistakes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from vlm_grpo.errors import UserError
from vlm_grpo.methods.base import Method
from vlm_grpo.methods.registry import METHODS
from vlm_grpo.study.plan import open_plan
from vlm_grpo.study.planned import JudgedPair, Plan, Question
from vlm_grpo.study.report_words import (
    across_words,
    arm_words,
    base_words,
    bias_runs,
    faithfulness_words,
    metrics_words,
    quadrant_words,
    stage_words,
)

ROOT = Path(__file__).parents[2]
STUDY = """
title: A chained study
results: results/x
work: runs/x
seeds: [42, 43]
datasets:
  drive: {command: python -m make.drive --seed 0, folder: data/drive}
  vsr: {command: python -m make.vsr, folder: data/vsr}
  biased: {command: python -m make.bias --data data/drive, folder: data/biased, of: drive}
bases:
  base: {model: "embedded:qwen2_5_vl", evaluation: ask.yaml}
  other: {model: org/name, evaluation: ask_other.yaml}
arms:
  sft: {start: base, method: sft, data: drive, training: sft.yaml, evaluation: ask_sft.yaml}
  sft_grpo: {start: sft, method: grpo, data: drive, training: grpo.yaml, arguments: --max_steps 2 --run_name 'a b'}
  again: {start: sft_grpo, method: grpo, data: vsr, training: grpo.yaml}
evaluations:
  test: {data: drive, split: test}
  transfer: {data: vsr, split: validation, arms: [base, sft_grpo], arguments: --limit 20}
judge:
  pairs: [[base, sft_grpo], [sft, sft_grpo]]
  arguments: --judge rules
"""


def planned(tmp_path: Path, text: str = STUDY, **overrides: Any) -> Plan:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    return open_plan([file], overrides)


def changed(old: str, new: str) -> str:
    assert old in STUDY
    return STUDY.replace(old, new)


def test_a_teacher_is_given_to_the_command_that_builds_from_its_traces(tmp_path):
    """A merged arm as a checkpoint, a soft prompt as its base and an adapter; both of the first seed."""
    plan = planned(tmp_path, changed("of: drive}", "of: drive, teacher: sft}"))
    assert plan.builder("biased")[-2:] == ("--teacher", "runs/x/sft/42/merged")
    assert plan.builder("drive") == plan.data["drive"].command
    soft = changed("of: drive}", "of: drive, teacher: sft}").replace("method: sft,", "method: soft_prompt,")
    soft = soft.replace("sft_grpo: {start: sft,", "sft_grpo: {start: base,")
    words = ("--teacher", "embedded:qwen2_5_vl", "--adapter", "runs/x/sft/42/train/final")
    assert planned(tmp_path, soft).builder("biased")[-4:] == words
    unasked = changed("split: test}", "split: test, arms: [sft_grpo, again]}")
    unasked = unasked.replace("start: sft, method: grpo", "start: base, method: grpo").split("judge:")[0]
    with pytest.raises(UserError, match="is trained for nothing"):
        planned(tmp_path, unasked)
    assert planned(tmp_path, unasked.replace("of: drive}", "of: drive, teacher: sft}")).data["biased"].teacher == "sft"


def test_arms_start_from_one_another_seed_by_seed(tmp_path):
    plan = planned(tmp_path)
    assert [plan.start(arm, 43) for arm in ("sft", "sft_grpo", "again")] == [
        "embedded:qwen2_5_vl",
        "runs/x/sft/43/merged",
        "runs/x/sft_grpo/43/merged",
    ]
    assert {plan.arms[arm].base for arm in plan.arms} == {"base"}
    assert plan.arms["sft_grpo"].arguments == ("--max_steps", "2", "--run_name", "a b")
    assert plan.model("again", 42) == ("runs/x/again/42/merged",)


def test_an_arm_that_trains_the_weights_themselves_needs_no_merge(tmp_path):
    plan = planned(tmp_path, changed("{start: base, method: sft,", "{start: base, method: sft, full_finetuning: all,"))
    assert plan.arms["sft"].arguments == ("--full_finetuning", "all")
    assert plan.trained("sft", 42) == "runs/x/sft/42/train"
    assert plan.model("sft", 42) == ("runs/x/sft/42/train/final",)
    assert plan.start("sft_grpo", 42) == "runs/x/sft/42/train/final"
    assert plan.model("sft_grpo", 42) == ("runs/x/sft_grpo/42/merged",)
    merges = [word for word in stage_words(plan) if word.startswith("--stage=merge ")]
    assert len(merges) == 4
    assert not any("merge sft@" in word for word in merges)


def test_an_arm_is_asked_as_it_says_or_else_as_its_base(tmp_path):
    plan = planned(tmp_path)
    assert [plan.arms[arm].evaluation for arm in plan.arms] == ["ask_sft.yaml", "ask.yaml", "ask.yaml"]


def test_an_adapter_that_does_not_merge_is_put_on_its_start(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "soft", Method(name="soft", module="make.soft", merges=False))
    text = changed("again: {start: sft_grpo, method: grpo", "again: {start: sft_grpo, method: soft")
    plan = planned(tmp_path, text)
    assert plan.model("again", 42) == ("runs/x/sft_grpo/42/merged", "--adapter", "runs/x/again/42/train/final")
    assert plan.trained("again", 42) == "runs/x/again/42/train"
    assert not any("merge again" in word for word in stage_words(plan))
    with pytest.raises(UserError, match=r"arms\.sft_grpo\.start: 'sft' has no checkpoint to start from: soft does not"):
        planned(tmp_path, changed("method: sft", "method: soft"))


def test_evaluations_cross_data_sets_and_have_folders_of_their_own(tmp_path):
    plan = planned(tmp_path)
    assert plan.questions["again", ""] == Question("drive", "test")
    assert plan.questions["sft_grpo", "_on_transfer"] == Question("vsr", "validation", ("--limit", "20"))
    assert ("sft", "_on_transfer") not in plan.questions
    assert plan.answers("sft_grpo", 42, "_on_transfer") == "runs/x/sft_grpo/42/evaluation_on_transfer"
    assert base_words(plan, "transfer") == ["--arm=base=runs/x/base/evaluation_on_transfer"]
    assert arm_words(plan, "transfer") == [
        "--arm=sft_grpo@42=runs/x/sft_grpo/42/evaluation_on_transfer",
        "--arm=sft_grpo@43=runs/x/sft_grpo/43/evaluation_on_transfer",
    ]
    asked = (len(base_words(plan, "test")), len(arm_words(plan, "test")))
    assert asked == (2, 3 * 2), "all bases and arms, where none are named"


def test_all_evaluations_are_put_side_by_side_with_what_is_published(tmp_path):
    plan = planned(tmp_path, changed("again: {start", "again: {published: {test: 0.5}, start"))
    assert across_words(plan) == [
        "--report=test=results/x",
        "--report=transfer=results/x/transfer",
        "--published=again/test=0.5",
    ]


def test_reward_curves_are_of_the_methods_that_have_them(tmp_path):
    plan = planned(tmp_path, seeds=[7])
    assert metrics_words(plan, "test") == [
        f"--metrics={arm}=runs/x/{arm}/7/train/metrics.jsonl" for arm in ("sft_grpo", "again")
    ]
    assert stage_words(plan)[:3] == [
        "--stage=data drive=data/drive",
        "--stage=data vsr=data/vsr",
        "--stage=train sft=runs/x/sft/7/train",
    ]


def test_a_pair_is_called_by_its_arm_beside_its_own_base_alone(tmp_path):
    pairs = planned(tmp_path).pairs
    assert pairs == {"sft_grpo": JudgedPair("base", "sft_grpo"), "sft-sft_grpo": JudgedPair("sft", "sft_grpo")}
    beside_another = planned(tmp_path, changed("[sft, sft_grpo]]", "[other, sft_grpo]]")).pairs
    assert list(beside_another) == ["sft_grpo", "other-sft_grpo"]


BIASED = """
bias_reports:
  bias:
    title: Bias
    bases: [base]
    arms: [sft_grpo]
    levels: {"0": drive, "1": biased}
    reference: "0"
    splits: [test, test_cued]
"""


def test_a_biased_arm_starts_from_its_start_on_the_same_level(tmp_path):
    plan = planned(tmp_path, STUDY + BIASED, seeds=[7])
    assert plan.start("sft_grpo_biased", 7) == "runs/x/sft_biased/7/merged"
    assert (plan.arms["sft_biased"].data, plan.start("sft_biased", 7)) == ("biased", "embedded:qwen2_5_vl")
    assert bias_runs(plan, "bias")[1:4] == [
        ("base", "runs/x/base_drive/evaluation_on_test_cued"),
        ("sft_grpo:0", "runs/x/sft_grpo_drive/7/evaluation"),
        ("sft_grpo:0", "runs/x/sft_grpo_drive/7/evaluation_on_test_cued"),
    ]
    assert plan.questions["sft_grpo_biased", "_on_test_cued"] == Question("biased", "test_cued")
    assert plan.studied == ["sft", "sft_grpo", "again"]


READ = """
faithfulness:
  arms: [base, sft_grpo]
  probed: [sft, base]
  probes: [right_think, stop_think]
  apart: [[base, sft]]
"""


def test_reasoning_is_read_seed_by_seed_and_probes_lie_beside_the_answers(tmp_path):
    plan = planned(tmp_path, STUDY + READ)
    assert plan.faithfulness.probes == ("stop_think", "right_think"), "in the order of tables"
    assert quadrant_words(plan, 43) == ["base=runs/x/base/evaluation", "sft_grpo@43=runs/x/sft_grpo/43/evaluation"]
    assert faithfulness_words(plan) == [
        "--arm=base=runs/x/base/evaluation",
        "--arm=sft_grpo@42=runs/x/sft_grpo/42/evaluation",
        "--arm=sft_grpo@43=runs/x/sft_grpo/43/evaluation",
        "--metrics=sft_grpo@42=runs/x/sft_grpo/42/train/metrics.jsonl",
        "--metrics=sft_grpo@43=runs/x/sft_grpo/43/train/metrics.jsonl",
        "--probes=sft@42=runs/x/sft/42/probes",
        "--probes=sft@43=runs/x/sft/43/probes",
        "--probes=base=runs/x/base/probes",
        "--apart=base=sft",
    ]


@pytest.mark.parametrize(
    "old, new, line",
    [
        ("[base, sft_grpo]", "[base, sft_gprp]", "arms: no base or arm that the first evaluation, 'test', asks is"),
        ("right_think,", "wright_think,", "probes: no probe 'wright_think'; did you mean 'right_think'?"),
        (
            "apart: [[base, sft]]",
            "apart: [[base, again]]",
            "apart: no probed base or arm 'again'; there are: sft, base",
        ),
        ("  probes: [right_think, stop_think]\n", "", "probed: has no effect without probes; say both or neither"),
        ("[[base, sft]]", "[[base]]", "apart.0: list should have at least 2 items"),
    ],
)
def test_a_mistake_about_reasoning_is_told(tmp_path, old, new, line):
    assert old in READ
    with pytest.raises(UserError) as told:
        planned(tmp_path, STUDY + READ.replace(old, new))
    assert f"faithfulness.{line}" in str(told.value)


def test_what_a_job_asks_of_a_cluster(tmp_path):
    text = changed("training: sft.yaml,", "training: sft.yaml, cluster: {expected_h: 0.5},")
    plan = planned(tmp_path, text + "cluster: {train: {cpus: 8, limit_h: 12, expected_h: 6}}\n")
    asked = [plan.asks("train", arm) for arm in ("sft", "again")]
    assert [(asks.gpus, asks.cpus, asks.limit_h, asks.expected_h) for asks in asked] == [(1, 8, 12, 0.5), (1, 8, 12, 6)]
    assert (plan.asks("data").gpus, plan.asks("evaluate", "sft").expected_h) == (0, 0)


def test_the_command_line_changes_single_entries(tmp_path):
    plan = planned(tmp_path, seeds=[1], judge={"min_coverage": 0.5})
    assert (plan.study.seeds, plan.study.judge.min_coverage) == ([1], 0.5)
    assert plan.judge_arguments == ("--judge", "rules")
    with pytest.raises(UserError, match=r"config the command line: sedes: unknown key; did you mean 'seeds'\?"):
        planned(tmp_path, sedes=[1])


def test_a_study_may_extend_another(tmp_path):
    (tmp_path / "common.yaml").write_text(STUDY)
    plan = planned(tmp_path, "extends: common.yaml\nresults: results/y\narms:\n  sft: {training: longer.yaml}\n")
    assert (plan.results, plan.work) == ("results/y", "runs/x")
    assert (plan.arms["sft"].training, plan.arms["sft"].evaluation) == ("longer.yaml", "ask_sft.yaml")
    (tmp_path / "common.yaml").write_text(changed("{start: sft_grpo", "{start: sft_grop"))
    with pytest.raises(UserError, match=r"common\.yaml: arms\.again\.start: no base or arm 'sft_grop'"):
        planned(tmp_path, "extends: common.yaml\n")


MISTAKES = [
    ("{start: sft_grpo,", "{start: sft_grop,", "arms.again.start: no base or arm 'sft_grop'; did you mean 'sft_grpo'?"),
    ("{start: base, m", "{start: again, m", "starts from itself: sft → sft_grpo → again → sft; let one of them start"),
    ("{start: sft_grpo,", "{start: again,", "arms.again.start: starts from itself: again → again"),
    ("method: sft,", "method: stf,", "arms.sft.method: no method 'stf'; did you mean 'sft'?"),
    ("method: sft,", "metod: sft,", "arms.sft.metod: unknown key; did you mean 'method'?"),
    ("method: sft,", "", "arms.sft: key 'method' is missing"),
    ("data: drive, training: sft", "data: drove, training: sft", "arms.sft.data: no data set 'drove'; did you mean"),
    ("data: drive, training: sft", "training: sft", "arms.sft: key 'data' is missing: 'sft_grpo' starts"),
    ("method: sft,", "method: sft, published: {test: 53.6},", "arms.sft.published.test: input should be less than or"),
    (
        "method: sft,",
        "method: sft, published: {transfer: 0.5},",
        "arms.sft.published: no evaluation 'transfer' asks this",
    ),
    ("arguments: --limit 20", 'arguments: "--limit \'20"', "transfer.arguments: no closing quotation in"),
    ("of: drive", "of: biased", "datasets.biased.of: 'biased' is made of itself"),
    ("of: drive", "of: drove", "datasets.biased.of: no data set 'drove'"),
    ("of: drive", "teacher: base", "datasets.biased.teacher: no arm 'base'"),
    ("data/vsr}", "data/vsr, teacher: again}", "datasets.vsr.teacher: 'again' learns from 'vsr' itself"),
    ("data/drive}", "data/drive, teacher: again}", "datasets.drive.teacher: 'again' learns from 'drive' itself"),
    ("data: vsr, split", "data: vrs, split", "evaluations.transfer.data: no data set 'vrs'; did you mean 'vsr'?"),
    (
        "[base, sft_grpo], arguments",
        "[base, sft_gprp], arguments",
        "evaluations.transfer.arms: no base or arm 'sft_gprp'",
    ),
    ("[sft, sft_grpo]]", "[base, sft_grpo]]", "judge.pairs: [base, sft_grpo] says one thing twice"),
    ("[sft, sft_grpo]]", "[base, other]]", "judge.pairs: [base, other] has no arm"),
    ("[sft, sft_grpo]]", "[sft]]", "judge.pairs.1: list should have at least 2 items"),
    ("arms:\n", "arms:\n  sft-sft_grpo: {start: base, method: sft, data: vsr, training: x}\n", "called 'sft-sft_grpo'"),
    ("arms:\n", "arms:\n  base: {start: other, method: sft, data: vsr, training: x}\n", "would be called 'base'"),
    (
        "arms:\n",
        "arms:\n  a:b: {start: other, method: sft, data: vsr, training: x}\n",
        "arms.a:b: a name is of",
    ),
    ("arms:\n", "arms:\n  x: {start: base, method: sft, training: x}\n", "arms.x: is trained for nothing: it has no"),
    ("seeds: [42, 43]", "seeds: 42", "seeds: input should be a valid list (here: 42)"),
    ("seeds: [42, 43]", "", "key 'seeds' is missing"),
    ("runs/x", "${NOT_SET_ANYWHERE}/x", "work needs the environment variable NOT_SET_ANYWHERE"),
]


FORMER_KEYS = [
    (
        "seeds:",
        "split: test\nseeds:",
        "split: is now part of an evaluation: write evaluations: {NAME: {data: …, split: …}}",
    ),
    ("seeds:", "name: x\nseeds:", "name: has no effect; remove it"),
    (
        "evaluation: ask.yaml}",
        "evaluation: ask.yaml, data: drive}",
        "bases.base.data: is now part of an evaluation",
    ),
    ("{start: base, ", "{base: base, ", "arms.sft.base: is now 'start': the name of a base or of another arm"),
    ("method: sft", "module: vlm_grpo.training.sft", "arms.sft.module: is now 'method': one of sft, grpo"),
    ("pairs: [[base, sft_grpo], [sft, sft_grpo]]", "arms: [sft]", "judge.arms: is now 'pairs'"),
]


@pytest.mark.parametrize("old, new, message", [*MISTAKES, *FORMER_KEYS])
def test_a_mistake_or_a_key_of_the_former_form_is_one_line_with_its_file(tmp_path, old, new, message):
    with pytest.raises(UserError) as raised:
        planned(tmp_path, changed(old, new))
    line = str(raised.value)
    assert line.startswith(f"config {tmp_path}/study.yaml")
    assert message in line
    assert "\n" not in line


def test_an_arm_that_nobody_asks_is_told(tmp_path):
    text = changed("test: {data: drive, split: test}", "test: {data: drive, split: test, arms: [base, sft, sft_grpo]}")
    with pytest.raises(UserError, match=r"arms\.again: is trained for nothing: no evaluation asks it"):
        planned(tmp_path, text)


@pytest.mark.parametrize("file", sorted((ROOT / "configs/study").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_shipped_studies_can_be_planned_and_their_files_exist(file, monkeypatch):
    for variable in ("DATA_PATH", "OUT_PATH"):
        monkeypatch.setenv(variable, "/somewhere")
    plan = open_plan([file])
    configs = [path for arm in plan.arms.values() for path in (arm.training, arm.evaluation)]
    assert all((ROOT / path).is_file() for path in configs)


def test_the_study_in_the_docs_can_be_planned(tmp_path, monkeypatch):
    for variable in ("DATA_PATH", "OUT_PATH"):
        monkeypatch.setenv(variable, "/somewhere")
    text = (ROOT / "docs/studies.md").read_text().split("```yaml\n")[1].split("```")[0]
    plan = planned(tmp_path, text)
    assert plan.start("sft_grpo", 42) == "/somewhere/study/chained/sft/42/merged"
    assert list(plan.pairs) == ["sft_grpo", "sft-sft_grpo"]


def test_planning_loads_no_trainer(tmp_path):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(yaml.safe_load(STUDY)))
    code = (
        "import sys; from pathlib import Path; from vlm_grpo.study import plan, report_words;"
        f"plan.open_plan([Path({str(tmp_path / 'study.yaml')!r})]);"
        "print(sorted({'torch', 'trl', 'transformers', 'peft', 'datasets', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
