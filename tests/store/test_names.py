import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.pair_names import pair_names
from vlm_grpo.study.run_names import arm_of, read_run


def test_pairs_are_called_by_both_names():
    assert list(pair_names(["base", "sft", "grpo-7b"])) == ["base-sft", "base-grpo-7b", "sft-grpo-7b"]
    assert pair_names([]) == pair_names(["base"]) == {}


@pytest.mark.parametrize("names", [["a-b", "c", "a", "b-c"], ["a", "-", "a-", ""]])
def test_two_pairs_of_one_name_are_refused(names):
    with pytest.raises(UserError, match="would both be called"):
        pair_names(names)


@pytest.mark.parametrize(
    "text, run, arm",
    [
        ("grpo", "grpo", "grpo"),
        ("grpo@42", "grpo@42", "grpo"),
        ("grpo@007", "grpo@7", "grpo"),
        ("qwen/grpo:0.9@1", "qwen/grpo:0.9@1", "qwen/grpo:0.9"),
        ("two words", "two words", "two words"),
    ],
)
def test_runs_and_their_arms(text, run, arm):
    assert read_run(text, where="--arm") == run
    assert arm_of(run) == arm


@pytest.mark.parametrize("text", ["", "@", "@4", "a@", "a@b", "a@1@2", "a@1.5", "a@-1", " a", "a ", "a\nb", "a@１"])
def test_what_is_no_run_is_refused(text):
    with pytest.raises(UserError, match="--arm"):
        read_run(text, where="--arm")
