"""The engine against transformers' generate: the same tokens and the same state of the generator, draw for draw."""

import pytest
import torch

from tiny_decoding import FAMILIES, RECORD, Bench, on_a_cpu

TOKENS = 14
SAMPLED = {"do_sample": True, "top_k": 0, "top_p": 1.0}
ENDS_AT = {"soon": range(0, 400, 4), "at once": range(2000)}
"""Ids that end a completion: so many that some rows end soon and others late, or all that there are."""
SETTINGS = {
    "greedy": {"do_sample": False},
    "sampled": SAMPLED,
    "hot": SAMPLED | {"temperature": 1.7},
    "top-k": SAMPLED | {"top_k": 5},
    "top-p": SAMPLED | {"top_p": 0.7},
    "min-p": SAMPLED | {"min_p": 0.2},
    "penalty": {"do_sample": False, "repetition_penalty": 1.6, "no_repeat_ngram_size": 2},
    "suppressed": SAMPLED | {"suppress_tokens": list(range(0, 400, 2))},
    "minimum": SAMPLED | {"eos_token_id": list(ENDS_AT["soon"]), "min_new_tokens": 5},
    "ends soon": SAMPLED | {"eos_token_id": list(ENDS_AT["soon"])},
    "ends soon, greedy": {"do_sample": False, "eos_token_id": list(ENDS_AT["soon"]), "repetition_penalty": 2.0},
    "ends at once": SAMPLED | {"eos_token_id": list(ENDS_AT["at once"])},
}
ENGINES = {"as it is": {}, "recorded, looks seldom": {"record": RECORD, "look_every": 3}}


@pytest.fixture(scope="module", params=FAMILIES)
def bench(request):
    return Bench(request.getfixturevalue(request.param))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_seed_gives_the_completions_of_generate(bench, engine, settings):
    asked = {"max_new_tokens": TOKENS} | SETTINGS[settings]
    stock = bench.tokens(None, **asked)
    ours = bench.tokens(bench.engine(**ENGINES[engine]), **asked)
    assert torch.equal(ours.tokens, stock.tokens)
    assert torch.equal(ours.generator, stock.generator)


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_that_share_prompts(bench, engine):
    asked = SAMPLED | {"max_new_tokens": TOKENS, "eos_token_id": list(ENDS_AT["soon"])}
    stock = bench.tokens(None, times=4, **asked)
    ours = bench.tokens(bench.engine(**ENGINES[engine]), times=4, shared=True, **asked)
    assert torch.equal(ours.tokens, stock.tokens)
    assert torch.equal(ours.generator, stock.generator)
    assert len({tuple(row) for row in ours.tokens.tolist()}) > bench.prompts, "rows of a group differ"


@pytest.mark.parametrize("engine", ENGINES)
def test_prompts_of_one_length_need_no_mask(bench, engine):
    asked = SAMPLED | {"max_new_tokens": TOKENS}
    stock = bench.tokens(None, only=1, times=5, **asked)
    ours = bench.tokens(bench.engine(**ENGINES[engine]), only=1, times=5, shared=True, **asked)
    assert torch.equal(ours.tokens, stock.tokens)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_attention_that_adds_its_mask(family, engine, request):
    bench = Bench(request.getfixturevalue(family), attention="eager")
    asked = SAMPLED | {"max_new_tokens": TOKENS}
    assert torch.equal(
        bench.tokens(bench.engine(**ENGINES[engine]), **asked).tokens, bench.tokens(None, **asked).tokens
    )


@on_a_cpu
def test_rows_that_ended_pass_the_model_no_more(bench):
    rows: list[int] = []
    asked = SAMPLED | {"max_new_tokens": 40, "eos_token_id": list(ENDS_AT["soon"])}
    ours = bench.tokens(bench.engine(watch=rows), times=8, shared=True, **asked)
    assert torch.equal(ours.tokens, bench.tokens(None, times=8, **asked).tokens)
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < rows[0] / 3


def test_a_record_of_fewer_rows_takes_over(bench):
    rows: list[int] = []
    asked = SAMPLED | {"max_new_tokens": 40, "eos_token_id": list(ENDS_AT["soon"])}
    ours = bench.tokens(bench.engine(watch=rows, record=RECORD, look_every=2), times=8, shared=True, **asked)
    assert torch.equal(ours.tokens, bench.tokens(None, times=8, **asked).tokens)
    assert set(rows) == {32, 16, 8}, "each size was run to be recorded, and never again"
