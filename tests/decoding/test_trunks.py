"""Prompts that begin alike are read once: the same tokens as read one by one, and fewer rows through the towers."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tiny_decoding import FAMILIES, RECORD, Bench
from tiny_grpo import DEVICE, LONG, PICTURES, SHORT
from vlm_grpo.decoding.trunks import trunks_of
from vlm_grpo.evaluation.generate import Decoder

PREFILLS = (
    "",
    "<think> It",
    "<think> It is left of it, so it is red. </think>\n<answer>",
    "<think> It is </think>\n<answer>",
)
QUESTIONS = ((SHORT, (0,)), (LONG, (1, 2)), (LONG, ()))
ASKED = [(*question, prefill) for question in QUESTIONS for prefill in PREFILLS]
"""Question, numbers of its pictures, what the completion begins with."""


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
def test_rows_over_a_trunk_say_what_they_say_by_themselves(family, attention, request):
    bench = Bench(request.getfixturevalue(family), attention=attention)
    decoder = Decoder(model=bench.model, processor=bench.processor, adapter=bench.adapter, max_new_tokens=12)
    rows = [SimpleNamespace(row=SimpleNamespace(id=str(n), images=asked[1])) for n, asked in enumerate(ASKED)]
    texts = [bench._text(text, len(shown)) + prefill for text, shown, prefill in ASKED]
    encoded = bench.adapter.encode(bench.processor, texts, [[PICTURES[n] for n in shown] for _, shown, _ in ASKED])
    groups = [asked[:2] for asked in ASKED]
    alone = decoder(rows, encoded.to(DEVICE), use_cache=True)
    read = []
    stock = bench.model._prefill
    bench.model._prefill = lambda ids, *rest, **more: (read.append(len(ids)), stock(ids, *rest, **more))[1]
    together = decoder(rows, encoded.to(DEVICE), use_cache=True, groups=groups)
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.completion_tokens for one in together] == [one.completion_tokens for one in alone]
    assert read == [len(QUESTIONS)]
    assert len({one.text for one in together}) > 1
    vars(decoder)["engine"] = bench.engine(record=RECORD)
    captured = decoder(rows, encoded.to(DEVICE), use_cache=True, groups=groups)
    assert [one.text for one in captured] == [one.text for one in alone]


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_of_one_length_need_no_mask(family, request):
    bench = Bench(request.getfixturevalue(family))
    decoder = Decoder(model=bench.model, processor=bench.processor, adapter=bench.adapter, max_new_tokens=6)
    rows = [SimpleNamespace(row=SimpleNamespace(id="one", images=(0,)))] * 2
    texts = [bench._text(SHORT, 1) + prefill for prefill in ("True", "False")]
    encoded = bench.adapter.encode(bench.processor, texts, [[PICTURES[0]]] * 2).to(DEVICE)
    assert bool(encoded["attention_mask"].all()), "both words are one token"
    alone = decoder(rows, encoded, use_cache=True)
    together = decoder(rows, encoded, use_cache=True, groups=["a", "a"])
    assert [one.text for one in together] == [one.text for one in alone]


def test_rows_of_one_group_each_go_as_before(tiny_qwen):
    bench = Bench(tiny_qwen)
    decoder = Decoder(model=bench.model, processor=bench.processor, adapter=bench.adapter, max_new_tokens=4)
    rows = [SimpleNamespace(row=SimpleNamespace(id=str(n), images=())) for n in range(2)]
    encoded = bench.adapter.encode(bench.processor, [bench._text(SHORT, 0), bench._text(LONG, 0)], [[], []])
    assert not decoder._sharing(rows, encoded, ["a", "b"])
    assert decoder._sharing(rows, encoded, ["a", "a"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 1), min_size=1, max_size=8), st.integers(0, 2)), min_size=1))
def test_a_trunk_is_its_groups_longest_and_leaves_each_row_a_token(rows):
    prompts, groups = [prompt for prompt, _ in rows], [group for _, group in rows]
    trunks = trunks_of(prompts, groups)
    for prompt, group, place, shared in zip(prompts, groups, trunks.of_row, trunks.shared, strict=True):
        trunk = prompts[trunks.first[place]]
        assert groups[trunks.first[place]] == group
        assert len(trunk) == max(len(other) for other, theirs in rows if theirs == group)
        assert prompt[:shared] == trunk[:shared]
        assert shared == len(prompt) - 1 or prompt[shared] != trunk[shared]
    assert trunks.spares == (len(set(groups)) < len(groups))


def test_pictures_behind_the_parting_are_an_error_of_ours(tiny_qwen):
    bench = Bench(tiny_qwen)
    decoder = Decoder(model=bench.model, processor=bench.processor, adapter=bench.adapter, max_new_tokens=4)
    rows = [SimpleNamespace(row=SimpleNamespace(id=str(n), images=(n,))) for n in range(2)]
    encoded = bench.adapter.encode(
        bench.processor, ["a" + bench._text(SHORT, 1), bench._text(SHORT, 1)], [[p] for p in PICTURES[:2]]
    )
    with pytest.raises(AssertionError, match="before their last picture"), torch.no_grad():
        decoder(rows, encoded.to(DEVICE), use_cache=True, groups=["a", "a"])
