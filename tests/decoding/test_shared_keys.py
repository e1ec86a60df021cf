"""A prompt's keys are read once for the rows that continue it, and the answers stay the same."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tiny_decoding import FAMILIES, Bench, on_a_cpu
from vlm_grpo.decoding import lean_layer, shared_keys
from vlm_grpo.decoding.shared_keys import SharedKeys, attend

ENDS_SOON = list(range(0, 400, 4))


@pytest.fixture(scope="module", params=FAMILIES)
def bench(request):
    return Bench(request.getfixturevalue(request.param))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rows", [(6,), (3, 2, 1), (1, 5)])
def test_the_answers_are_those_over_every_rows_own_copy(rows, masked):
    generator = torch.Generator().manual_seed(1)
    queries, keys, values = (torch.randn(6, 2, places, 8, generator=generator) for places in (3, 15, 15))
    mask = torch.zeros(6, 1, 1, 15)
    first = 0
    for index, count in enumerate(rows):
        for stored in (keys, values):
            stored[first : first + count, :, :9] = stored[first, :, :9]
        mask[first : first + count, ..., :index] = -torch.inf
        first += count
    added = mask if masked else None
    expected = scaled_dot_product_attention(queries, keys, values, attn_mask=added, scale=0.3)
    ours = attend(queries, keys, values, added, scale=0.3, shared=SharedKeys(rows, 9))
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-5)


@on_a_cpu
@pytest.mark.parametrize("only", [1, None])
def test_the_same_seed_gives_the_completions_of_generate(bench, only, monkeypatch):
    """Prompts of unequal lengths and of one, while rows end and are dropped."""
    seen = []

    def counted(*tensors, shared, **how):
        seen.append(shared.rows)
        return attend(*tensors, shared=shared, **how)

    monkeypatch.setattr(shared_keys, "WORTH", 1)
    monkeypatch.setattr(lean_layer, "attend", counted)
    asked = {"do_sample": True, "top_k": 0, "max_new_tokens": 14, "eos_token_id": ENDS_SOON}
    stock = bench.tokens(None, only=only, times=6, **asked)
    ours = bench.tokens(bench.engine(), only=only, times=6, shared=True, **asked)
    assert torch.equal(ours.tokens, stock.tokens)
    assert torch.equal(ours.generator, stock.generator)
    assert max(seen[0]) > 1
    assert len(set(seen)) > 1, "rows were dropped"


@pytest.mark.parametrize(
    "prompts, places, shared",
    [
        ([0] * 8, 1000, SharedKeys((8,), 1000)),
        ([0] * 4 + [1] * 3, 1000, SharedKeys((4, 3), 1000)),
        ([0] * 8, 100, None),
        (list(range(8)), 10000, None),
    ],
)
def test_where_it_is_worth_it(prompts, places, shared):
    assert shared_keys.shared_keys(prompts, places=places, width=128) == shared
