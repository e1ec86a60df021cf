"""The parts of the fast path one by one: keys, cache, groups, memory guard, plan, processing, prefill."""

import itertools

import pytest
import torch
from trl.trainer.utils import shuffle_sequence_dict

from tiny_grpo import LONG, SHORT, ask, make_trainer
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.decoding.prompts import DistinctPrompts, distinct_prompts
from vlm_grpo.errors import UserError
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.feature_cache import Call, FeatureCache
from vlm_grpo.methods.fast.fingerprint import fingerprint, numbers
from vlm_grpo.methods.fast.groups import shuffle_whole_groups
from vlm_grpo.methods.fast.guard import rows_at_once
from vlm_grpo.methods.fast.processing import DistinctProcessing, repeat_pictures


def test_fingerprints_tell_content_order_shape_and_format_apart():
    pixels = torch.rand(5, 7, generator=torch.Generator().manual_seed(0))
    different = [
        pixels,
        pixels + torch.eye(5, 7) * 1e-6,
        pixels.flip(0),
        pixels.reshape(7, 5),
        pixels.to(torch.bfloat16),
        torch.zeros(5, 7),
        torch.zeros(5, 7, dtype=torch.long),
    ]
    assert len({fingerprint(tensor) for tensor in different}) == len(different)
    assert fingerprint(pixels) == fingerprint(pixels.t().contiguous().t())


def test_pictures_of_many_sizes_share_a_few_tables_of_numbers():
    smaller, larger = (numbers(count, "cpu") for count in (600, 1000))
    assert torch.equal(smaller, larger[:, :600])
    assert smaller.data_ptr() == larger.data_ptr()


def test_the_cache_encodes_once_and_drops_what_was_used_longest_ago():
    features = {key: (torch.full((2, 4), float(number)),) for number, key in enumerate("abc")}
    size = 2 * 4 * 4
    cache = FeatureCache(limit=2 * size)
    asked: list[str] = []

    def collect(keys: str) -> None:
        def encode(positions):
            asked.extend(keys[position] for position in positions)
            return [features[keys[position]] for position in positions]

        collected = cache.collect(list(keys), [Call("square", 1)] * len(keys), encode)
        assert all(torch.equal(f, features[key][0]) for (f,), key in zip(collected, keys, strict=True))

    collect("aabab")
    assert asked == ["a", "b"]
    assert (cache.encoded, cache.reused) == (2, 3)
    collect("a")
    collect("c")
    collect("a")
    assert asked == ["a", "b", "c"]
    collect("b")
    assert asked == ["a", "b", "c", "b"], "b was used longest ago when c came"
    collect("abc")
    assert asked[4:] == ["c"], "a batch larger than the cache still gets all its features"


def test_the_cache_fills_each_call_up_with_pictures_of_its_kind():
    cache = FeatureCache(limit=1 << 20)
    asked: list[str] = []

    def collect(keys: str) -> str:
        calls = [Call("wide", 2) if key.isupper() else Call("square", 3) for key in keys]

        def encode(positions):
            asked.append("".join(keys[position] for position in positions))
            return list(torch.tensor([[ord(keys[position])] for position in positions])[:, None])

        return "".join(chr(int(features)) for (features,) in cache.collect(list(keys), calls, encode))

    assert collect("aAbacBdCA") == "aAbacBdCA"
    assert asked == ["abc", "ddd", "AB", "CC"]
    assert (cache.encoded, cache.reused) == (7, 2)
    assert collect("deBf") == "deBf"
    assert asked[4:] == ["eff"]
    assert (cache.encoded, cache.reused) == (9, 4)
    held = [features for (features,) in cache._kept.values()]
    assert len(held) == 9
    assert cache._bytes == sum(features.untyped_storage().nbytes() for features in held), "no neighbour is kept alive"


def test_prompts_are_distinct_by_text_and_pictures():
    pictures = ["x", "x", "y", "x", "x", "z", "y"]
    prompts = [[1, 2], [1, 2], [1, 2], [1, 3], [1, 2], [1, 2], [1, 2]]
    looks = []

    def same(pairs):
        looks.append(len(pairs))
        return [pictures[one] == pictures[other] for one, other in pairs]

    assert distinct_prompts(prompts, same) == DistinctPrompts(first=[0, 2, 3, 5], of_row=[0, 0, 1, 2, 0, 3, 1])
    assert looks == [5, 2], "one look for all rows and their texts' first, one for those unlike it"


@pytest.mark.parametrize("group", [1, 2, 3, 6])
def test_groups_stay_whole_and_the_generator_in_step_with_trl(group):
    rows = 12
    batch = {"row": torch.arange(rows), "name": [str(row) for row in range(rows)], "count": torch.tensor(7), "no": None}
    torch.manual_seed(0)
    shuffle_sequence_dict(batch)
    expected_state = torch.get_rng_state()
    orders = set()
    for seed in range(20):
        torch.manual_seed(seed)
        shuffled = shuffle_whole_groups(batch, [row // group for row in range(rows)])
        if seed == 0:
            assert torch.equal(torch.get_rng_state(), expected_state)
        order = shuffled["row"].tolist()
        assert sorted(order) == list(range(rows))
        assert len(list(itertools.groupby(order, key=lambda row: row // group))) == rows // group
        assert shuffled["name"] == [str(row) for row in order]
        assert shuffled["count"] == 7
        orders.add(tuple(row // group for row in order))
    assert len(orders) > 1


def test_the_guard_lets_as_many_rows_pass_as_fit():
    fits = {"tokens_per_row": 100, "bytes_per_token": 10.0}
    assert rows_at_once(8, **fits, free=None) == 8
    assert rows_at_once(8, **fits, free=10**9) == 8
    assert rows_at_once(8, **fits, free=0) == 1
    assert rows_at_once(8, **fits, free=6000) == 3
    assert rows_at_once(8, tokens_per_row=100, bytes_per_token=0.0, free=1) == 8


@pytest.mark.parametrize(
    "settings,part,why",
    [
        ({"gradient_checkpointing": True}, "scoring", "gradient_checkpointing drops the KV cache"),
        ({"generation_kwargs": {"use_cache": False}}, "rollout", "the KV cache is off"),
        ({"generation_kwargs": {"num_beams": 2}}, "rollout", "num_beams is not 1"),
        ({"tower": True}, "vision", "the vision tower trains"),
    ],
)
def test_what_cannot_be_shared_is_told_and_left_to_trl(tiny_qwen, tmp_path, settings, part, why):
    trainer = make_trainer(tiny_qwen, tmp_path, fast=FastArguments(), **settings)
    assert why in getattr(trainer.plan, part)
    others = {"processing", "vision", "scoring", "rollout"} - {part}
    assert all(getattr(trainer.plan, other) is None for other in others)
    assert sum(why in line for line in trainer.plan.lines()) == 1
    with pytest.raises(UserError, match=why):
        make_trainer(tiny_qwen, tmp_path, fast=FastArguments(fast="on"), **settings)


@pytest.mark.parametrize("said,meant", [("auto", "auto"), ("on", "on"), ("False", "off"), ("True", "on")])
def test_yaml_may_take_on_and_off_for_booleans(said, meant):
    assert FastArguments(fast=said).fast == meant


@pytest.mark.parametrize("settings", [{"fast": "perhaps"}, {"fast_chunk": 0}])
def test_settings_that_make_no_sense(settings):
    with pytest.raises(UserError, match=next(iter(settings))):
        FastArguments(**settings)


def test_off_leaves_trl_alone(tiny_qwen, tmp_path):
    trainer = make_trainer(tiny_qwen, tmp_path, fast=FastArguments(fast="off"))
    backbone = trainer.model.get_base_model().base_model
    assert trainer.features is None
    assert not {"forward", "get_image_features"} & vars(backbone).keys()


def test_a_batch_with_little_to_share_is_scored_by_trl(tiny_qwen, tmp_path, caplog):
    trainer = make_trainer(tiny_qwen, tmp_path, fast=FastArguments())
    batch = trainer._generate_and_score_completions(ask((SHORT, [0]), (LONG, [1]), times=1))
    trainer.compute_loss(trainer.model, batch)
    assert sum("sharing prompts would save" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_distinct_rows_are_processed_once_with_the_same_result(family, request):
    processor = open_checkpoint(str(request.getfixturevalue(family))).load_processor()
    rows = ask((SHORT, [0]), (LONG, [1, 2]), (SHORT, [1]), times=2)
    conversations = [
        [
            {
                "role": "user",
                "content": [
                    *({"type": "image", "image": p} for p in row["images"]),
                    {"type": "text", "text": row["prompt"][0]["content"]},
                ],
            }
        ]
        for row in rows
    ]
    seen: list[int] = []
    process = type(processor.image_processor).preprocess

    def count(self, images, *args, **kwargs):
        seen.append(len(images))
        return process(self, images, *args, **kwargs)

    texts = [
        processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False) for turns in conversations
    ]
    settings = {"padding": True, "return_tensors": "pt"}
    expected = processor(text=texts, images=[row["images"] for row in rows], **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(processor.image_processor), "preprocess", count)
        processed = DistinctProcessing(processor)(text=texts, images=[row["images"] for row in rows], **settings)
        template = {"tokenize": True, "return_dict": True, "add_generation_prompt": True}
        ids = DistinctProcessing(processor).apply_chat_template(conversations, **template)["input_ids"]
    assert len(processed["pixel_values"]) < len(expected["pixel_values"])
    processed = repeat_pictures(processed)
    assert processed.keys() == expected.keys()
    assert all(torch.equal(processed[name], expected[name]) for name in expected)
    assert ids == processor.apply_chat_template(conversations, **template)["input_ids"]
    assert max(seen) < 8, "six rows show eight pictures, four of them distinct"
