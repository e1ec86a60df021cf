"""What the engine does around exact decoding: records that stay valid or do not, memory that runs out, odd models."""

from types import SimpleNamespace

import pytest
import torch

from tiny_decoding import FAMILIES, RECORD, Bench, on_a_cpu
from vlm_grpo.decoding import buckets, workspace
from vlm_grpo.decoding.buckets import length_bucket, row_bucket
from vlm_grpo.decoding.serving import not_served
from vlm_grpo.decoding.step import tower_step

ASKED = {"do_sample": True, "top_k": 0, "max_new_tokens": 10}
GREEDY = {"do_sample": False, "max_new_tokens": 10}


@pytest.fixture(params=FAMILIES)
def bench(request):
    return Bench(request.getfixturevalue(request.param))


def counted_records():
    made: list[int] = []

    def counting(run):
        made.append(1)
        return RECORD(run)

    return counting, made


def test_a_record_follows_weights_that_change_in_place(bench):
    counting, made = counted_records()
    engine = bench.engine(record=counting)
    before = bench.tokens(engine, **GREEDY).tokens
    bench.move_lora(seed=6)
    after = bench.tokens(engine, **GREEDY).tokens
    assert torch.equal(after, bench.tokens(None, **GREEDY).tokens)
    assert not torch.equal(before, after), "other weights, other words"
    assert len(made) == 1


def test_a_record_is_made_anew_when_a_weight_moves_or_the_path_changes(bench):
    counting, made = counted_records()
    engine = bench.engine(record=counting)
    bench.tokens(engine, **GREEDY)
    moved = next(p for name, p in bench.policy.named_parameters() if "lora_B" in name)
    moved.data = moved.data.clone() * 3
    assert torch.equal(bench.tokens(engine, **GREEDY).tokens, bench.tokens(None, **GREEDY).tokens)
    assert len(made) == 2
    with bench.policy.disable_adapter():
        assert torch.equal(bench.tokens(engine, **GREEDY).tokens, bench.tokens(None, **GREEDY).tokens)
    assert len(made) == 3


def test_places_of_a_longer_batch_serve_a_shorter_one(bench, monkeypatch):
    monkeypatch.setattr(buckets, "PLACES", 8)
    counting, made = counted_records()
    engine = bench.engine(record=counting)
    long = GREEDY | {"max_new_tokens": 20}
    assert torch.equal(bench.tokens(engine, **long).tokens, bench.tokens(None, **long).tokens)
    assert torch.equal(bench.tokens(engine, **GREEDY).tokens, bench.tokens(None, **GREEDY).tokens)
    assert len(made) == 2, "a step of its own over fewer places"


def test_records_are_bounded(bench, monkeypatch):
    """The one used longest ago goes first, and is made anew where its size comes back."""
    monkeypatch.setattr(buckets, "PLACES", 8)
    monkeypatch.setattr(workspace, "CAPTURED", 2)
    counting, made = counted_records()
    engine = bench.engine(record=counting)
    for tokens in (36, 27, 18, 36):
        bench.tokens(engine, **GREEDY | {"max_new_tokens": tokens})
        assert len(engine._workspace._recorded) <= 2
    assert len(made) == 4


@pytest.mark.parametrize("free, kept", [(None, True), (10**9, True), (0, False)])
def test_places_that_would_be_missed_are_given_back(bench, monkeypatch, free, kept):
    counting, made = counted_records()
    engine = bench.engine(record=counting)
    monkeypatch.setattr("vlm_grpo.decoding.engine.free_bytes", lambda device: free)
    for _ in range(2):
        assert torch.equal(bench.tokens(engine, **GREEDY).tokens, bench.tokens(None, **GREEDY).tokens)
        engine.make_room()
    assert len(made) == (1 if kept else 2)


def fails_above(rows):
    """A step that runs out of memory on more than so many rows, at its third token."""
    calls = []

    def build(model):
        step = tower_step(model)

        def run(ids, *rest):
            calls.append(len(ids))
            if len(ids) > rows and len(calls) > 2:
                raise torch.OutOfMemoryError("no room")
            return step(ids, *rest)

        return run

    return build, calls


@on_a_cpu
def test_rows_that_do_not_fit_go_on_in_halves(bench, caplog):
    build, calls = fails_above(3)
    ours = bench.tokens(bench.engine(build_step=build), times=2, shared=True, **GREEDY)
    assert torch.equal(ours.tokens, bench.tokens(None, times=2, **GREEDY).tokens)
    assert {8, 4, 2} <= set(calls)
    assert [m for m in caplog.messages if "8 rows go on as 4 and 4" in m] == [
        "out of GPU memory while decoding: 8 rows go on as 4 and 4; their random draws are others"
    ]


@on_a_cpu
@pytest.mark.parametrize("shared", [True, False])
def test_what_never_fits_is_decoded_by_generate_from_the_same_draws(bench, caplog, shared):
    build, _ = fails_above(0)
    ours = bench.tokens(bench.engine(build_step=build), shared=shared, **ASKED)
    stock = bench.tokens(None, **ASKED)
    assert torch.equal(ours.tokens, stock.tokens)
    assert torch.equal(ours.generator, stock.generator)
    assert caplog.messages[-1] == "out of GPU memory while decoding: decoding goes on with transformers' generate"
    assert "generate" not in vars(bench.model), "the model's own method is back"


@pytest.mark.parametrize(
    "rows, bucket", [(1, 8), (8, 8), (9, 16), (24, 32), (64, 64), (65, 128), (128, 128), (129, 192)]
)
def test_rows_come_in_buckets(rows, bucket):
    assert row_bucket(rows) == bucket


def test_lengths_come_in_buckets():
    assert [length_bucket(tokens) for tokens in (1, 128, 129)] == [128, 128, 256]


def model_of(**config):
    text = SimpleNamespace(_attn_implementation=config.pop("attention", "sdpa"), layer_types=config.pop("layers", None))
    whole = SimpleNamespace(model_type="qwen2_5_vl", get_text_config=lambda: text)
    vars(whole).update(config)
    return SimpleNamespace(config=whole, get_decoder=lambda: SimpleNamespace(config=text))


@pytest.mark.parametrize(
    "config, why",
    [
        ({}, None),
        ({"attention": "eager"}, None),
        ({"model_type": "fuyu"}, "model_type fuyu is not known here"),
        ({"attention": "flash_attention_2"}, "attention flash_attention_2 takes no mask over fixed places"),
        ({"layers": ["full_attention", "sliding_attention"]}, "does not attend to everything"),
    ],
)
def test_what_is_not_served_is_told(config, why):
    told = not_served(model_of(**config))
    assert told is None if why is None else why in told
