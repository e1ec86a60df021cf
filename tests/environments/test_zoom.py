"""`zoom` over texts: what is cut out, what a call must look like, and whose features stand at which tokens."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tiny_grpo import make_trainer
from vlm_grpo.decoding.pictures import by_row
from vlm_grpo.environments.conversation import pictures_of
from vlm_grpo.environments.zoom import ENVIRONMENT, SIDE, ZoomTools, enlarge, region
from vlm_grpo.errors import UserError
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.turns import TurnsGRPOTrainer
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.asking import question

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (500, 700, 3), dtype=np.uint8))
TIMES = 6
"""Rollouts of each of the four rows: as many pictures in them as chance brings."""


def call(keypoint="[120, 80]", *, before="<think> small </think> ", after="", name="zoom"):
    return f"{before}<tool>\nname: {name}\nkeypoint: {keypoint}\n</tool>{after}"


def reply(text, *, picture=PICTURE):
    return ENVIRONMENT.respond([text], [picture])


@given(st.integers(1, 1500), st.integers(1, 1500), st.data())
def test_the_region_holds_the_keypoint_and_stays_inside(width, height, data):
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    left, top, right, bottom = region((width, height), (x, y))
    assert (right - left, bottom - top) == (min(SIDE, width), min(SIDE, height))
    assert 0 <= left <= x < right <= width
    assert 0 <= top <= y < bottom <= height


@pytest.mark.parametrize(
    "size, keypoint, box, shown",
    [
        ((700, 500), (350, 250), (150, 50, 550, 450), (700, 700)),
        ((700, 500), (0, 0), (0, 0, 400, 400), (700, 700)),
        ((700, 500), (699, 499), (300, 100, 700, 500), (700, 700)),
        ((1000, 300), (500, 10), (300, 0, 700, 300), (1000, 750)),
        ((200, 100), (3, 3), (0, 0, 200, 100), (400, 200)),
        ((400, 400), (200, 200), (0, 0, 400, 400), (400, 400)),
    ],
)
def test_r1_vlms_geometry(size, keypoint, box, shown):
    picture = PICTURE.resize(size)
    assert region(size, keypoint) == box
    found = enlarge(picture, box)
    assert found.size == shown
    assert found.tobytes() == picture.crop(box).resize(shown, Image.Resampling.LANCZOS).tobytes()


def test_a_call_is_answered_with_the_region():
    found = reply(call())
    assert found.is_call
    assert not found.is_error
    assert found.picture.tobytes() == enlarge(PICTURE, (0, 0, 400, 400)).tobytes()
    assert found.text == "<result>\nThe image from [0, 0] to [400, 400], enlarged.\n</result>"


@pytest.mark.parametrize(
    "text",
    [
        "<think> so </think> <answer> 9 </answer>",
        "I see nothing.",
        "",
        call(after="") + " <answer> 9 </answer>",
    ],
)
def test_no_call_and_an_answer_end_the_conversation(text):
    assert reply(text) is None


@pytest.mark.parametrize(
    "text, reason",
    [
        (call("[700, 80]"), "lies outside of the image of 700 x 500 pixels"),
        (call("[1, 500]"), "lies outside"),
        (call("[-1, 5]"), "two whole numbers"),
        (call("[1.5, 5]"), "two whole numbers"),
        (call("[1, 2, 3]"), "two whole numbers"),
        (call("[1, 2"), "two whole numbers"),
        (call("[٣, 5]"), "two whole numbers"),
        (call("[1234567, 5]"), "two whole numbers"),
        (call("__import__('os').system('false')"), "two whole numbers"),
        (call("[1, 2]\nkeypoint: [3, 4]"), "a key is given twice"),
        (call("[1, 2]\nside: 3"), "zoom takes one argument"),
        (call(name="<|image_pad|>"), "there is no tool of that name; there is zoom"),
        (call() + call(), "one <tool> block"),
        (call() + " so", "nothing may follow"),
        (call(before="<think> "), "stands in it"),
        ("<tool>", "one <tool> block"),
        ("</tool> <tool>", "one <tool> block"),
        ("<tool></tool>", "lines of the form key: value"),
        ('<tool> {"name": "zoom"} </tool>', "lines of the form key: value"),
        ("<tool>\nkeypoint: [1, 2]\nname: zoom\n</tool>", "lines of the form key: value"),
        ("<tool>\nname: zoom\n</tool>", "zoom takes one argument"),
    ],
)
def test_what_is_wrong_is_told_to_the_model_and_shows_nothing(text, reason):
    found = reply(text)
    assert found.is_error
    assert found.is_call
    assert found.picture is None
    assert re.fullmatch(rf"<result>\nError: .*{re.escape(reason)}.*\n</result>", found.text)


@given(st.text(alphabet="<>/tolanswer:[]0123456789, \n_keypinm", max_size=80))
def test_nothing_that_is_written_is_an_exception_of_ours(text):
    assert "<answer>" in text or reply(call(text)) is not None
    ENVIRONMENT.respond([f"<tool>{text}"], [PICTURE])
    ENVIRONMENT.respond([text], [PICTURE])


@pytest.mark.parametrize("keypoint", ["[1, 2]", [1], [1, 2, 3], [1.0, 2], [True, 2], None, {"x": 1}, [[1], 2]])
def test_a_native_call_takes_two_whole_numbers_only(keypoint):
    tools = ZoomTools()
    tools.reset(images=[PICTURE], id="r")
    with pytest.raises(ValueError, match="two whole numbers"):
        tools.zoom(keypoint)
    assert tools.zoom([120, 80])[0]["image"].tobytes() == enlarge(PICTURE, (0, 0, 400, 400)).tobytes()


def test_format_wants_a_call_or_an_answer_in_each_turn_and_an_answer_at_last():
    row = Row(id="r", images=(), problem="Is it?", solution="True", task="vsr")
    good, form = "<think> so </think> <answer> True </answer>", REWARDS["format"]
    for said, worth in (
        ([call(), good], 1.0),
        ([call(), call(), good], 1.0),
        ([call(before=""), good], 0.5),
        ([call(), call()], 0.5),
        ([call()], 0.0),
        ([f"{call()} <answer> True </answer>"], 0.0),
        (['<think> so </think> <tool_call>\n{"name": "zoom"}\n</tool_call>', good], 1.0),
    ):
        assert form.of_turns(said, row, rule="strict") == worth


PROTOCOLS = {"calling_qwen": "text", "calling_qwen3": "native"}


def rows(root, *, times=TIMES, protocol="text"):
    drawn = dataset.load(root, "train")
    return [
        {
            "prompt": [
                {
                    "role": "user",
                    "content": question(ENVIRONMENT.asked(row, root=root, protocol=protocol), template="reason"),
                }
            ],
            "images": [open_picture(root, name) for name in row.images],
        }
        for row in drawn
        for _ in range(times)
    ]


def make(checkpoint, out, *, fast="auto", length=260, protocol="text", **settings):
    return make_trainer(
        checkpoint,
        out,
        kind=partial(TurnsGRPOTrainer, environment=ENVIRONMENT, protocol=protocol, fast=FastArguments(fast=fast)),
        max_completion_length=length,
        **{"num_generations": TIMES, "rows": 4 * TIMES, "temperature": 1.0} | settings,
    )


def alone(trainer, batch, row, pictures):
    """Log-probabilities of a row's completion from the model itself, given nothing but the row and its `pictures`."""
    ids = torch.cat([batch[f"{part}_ids"][row][batch[f"{part}_mask"][row].bool()] for part in ("prompt", "completion")])
    fields = trainer.processing_class.image_processor(images=pictures, return_tensors="pt")
    kinds = (ids == trainer.model.config.image_token_id).int()
    with torch.no_grad():
        logits = trainer.model(input_ids=ids[None], mm_token_type_ids=kinds[None], **fields).logits[0]
    length = int(batch["completion_mask"][row].sum())
    return logits.log_softmax(-1)[-length - 1 : -1].gather(1, ids[-length:, None]).squeeze(1)


def scored(trainer, batch, **how):
    ids, mask = (torch.cat([batch[f"prompt_{kind}"], batch[f"completion_{kind}"]], 1) for kind in ("ids", "mask"))
    names = ("mm_token_type_ids", "num_images", "pixel_values", "image_grid_thw")
    with torch.no_grad():
        return trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, mask, batch["completion_ids"].shape[1], **how, **{name: batch[name] for name in names}
        )[0]


@pytest.mark.parametrize("fast", ["auto", "off"])
@pytest.mark.parametrize("caller", PROTOCOLS)
def test_each_row_is_scored_with_its_own_pictures_at_their_own_tokens(caller, fast, request, tiny_digits, tmp_path):
    """In a batch of unevenly many added pictures each row scores as it does alone."""
    trainer = make(request.getfixturevalue(caller), tmp_path, fast=fast, protocol=PROTOCOLS[caller])
    asked = rows(tiny_digits, protocol=PROTOCOLS[caller])
    batch = trainer._generate_and_score_completions(asked)
    turns = list(trainer._logs["completion"])
    shown = [row["images"] + pictures_of(said) for row, said in zip(asked, turns, strict=True)]
    assert len({len(pictures) for pictures in shown}) >= 3, "the counts are uneven"
    assert batch["num_images"] == [len(pictures) for pictures in shown]
    features = by_row(batch, batch["num_images"])
    for row, pictures in enumerate(shown):
        own = trainer.processing_class.image_processor(images=pictures, return_tensors="pt")
        assert torch.equal(features.narrow([row])["pixel_values"], own["pixel_values"])
    expected = [alone(trainer, batch, row, pictures) for row, pictures in enumerate(shown)]
    for batch_size in (None, 5):
        together = scored(trainer, batch, batch_size=batch_size)
        for row, single in enumerate(expected):
            assert torch.allclose(together[row, : len(single)], single, atol=1e-4)
    moved = batch | {"pixel_values": batch["pixel_values"].roll(64, 0)}
    assert (scored(trainer, moved) - scored(trainer, batch)).abs().max() > 1e-2, "pictures matter to this model"


@pytest.mark.parametrize("fast", ["auto", "off"])
@pytest.mark.parametrize("caller", PROTOCOLS)
def test_micro_batches_keep_added_pictures_and_masks_with_their_rows(caller, fast, request, tiny_digits, tmp_path):
    checkpoint, protocol = request.getfixturevalue(caller), PROTOCOLS[caller]
    trainer = make(
        checkpoint,
        tmp_path,
        fast=fast,
        protocol=protocol,
        rows=8,
        steps_per_generation=3,
        gradient_accumulation_steps=3,
    )
    asked = rows(tiny_digits, protocol=protocol)
    placeholder = trainer.model.config.image_token_id
    kept = 0
    for step in range(3):
        trainer._step = step
        batch = trainer._prepare_inputs(asked)
        together = scored(trainer, batch)
        features = by_row(batch, batch["num_images"])
        for row in range(8):
            pixels = features.narrow([row])
            ids = torch.cat([batch["prompt_ids"][row], batch["completion_ids"][row]])
            assert int((ids == placeholder).sum()) == len(pixels["pixel_values"]) // 4
            single = {
                name: batch[name][row : row + 1]
                for name in batch
                if torch.is_tensor(batch[name]) and batch[name].ndim and name not in pixels
            } | pixels
            own = scored(trainer, single | {"num_images": [batch["num_images"][row]]})
            length = int(batch["completion_mask"][row].sum())
            assert torch.allclose(own[0, :length], together[row, :length], atol=1e-4)
            added = (batch["completion_ids"][row] == placeholder) & batch["completion_mask"][row].bool()
            assert not batch["tool_mask"][row][added].any(), "a picture's tokens carry no loss"
            kept += bool(added.any())
        assert torch.isfinite(trainer.compute_loss(trainer.model, batch))
    assert kept > 3


@pytest.mark.parametrize("caller", PROTOCOLS)
def test_a_turn_behind_a_picture_is_sampled_as_it_is_scored(caller, request, tiny_digits, tmp_path):
    """Greedily said, each of the model's tokens is the likeliest where the whole row is scored."""
    checkpoint, protocol = request.getfixturevalue(caller), PROTOCOLS[caller]
    trainer = make(checkpoint, tmp_path, protocol=protocol, rows=8, num_generations=2)
    trainer.generation_config.do_sample = False
    batch = trainer._generate_and_score_completions(rows(tiny_digits, times=2, protocol=protocol))
    assert max(batch["num_images"]) > 1
    ids, mask = (torch.cat([batch[f"prompt_{kind}"], batch[f"completion_{kind}"]], 1) for kind in ("ids", "mask"))
    fields = {name: batch[name] for name in ("mm_token_type_ids", "pixel_values", "image_grid_thw")}
    with torch.no_grad():
        logits = trainer.model(input_ids=ids, attention_mask=mask, **fields).logits
    logits[..., trainer.generation_config.suppress_tokens] = -torch.inf
    likeliest = logits[:, batch["prompt_ids"].shape[1] - 1 : -1].argmax(-1)
    own = (batch["completion_mask"] * batch["tool_mask"]).bool()
    assert torch.equal(likeliest[own], batch["completion_ids"][own])


def test_what_finds_no_room_is_neither_shown_nor_counted(calling_qwen, tiny_digits, tmp_path):
    trainer = make(calling_qwen, tmp_path, length=40)
    batch = trainer._generate_and_score_completions(rows(tiny_digits))
    assert batch["num_images"] == [1] * len(batch["completion_ids"])
    assert batch["tool_mask"].all()
    assert trainer._metrics["train"]["tools/call_frequency"] == [0.0]
    assert trainer._metrics["train"]["environment/cut"][0] > 0


NATIVE = "<think> look </think>\n<tool_call>\n{call}\n</tool_call>"


@pytest.mark.parametrize(
    "call, told",
    [
        ('{"name": "zoom", "arguments": {"keypoint": [120, 200]}}', "enlarged"),
        ('{"name": "zoom", "arguments": {"keypoint": [5000, 3]}}', "lies outside"),
        ('{"name": "zoom", "arguments": {"keypoint": "[1, 2]"}}', "enlarged"),
        ('{"name": "zoom", "arguments": {"keypoint": [1.5, 2]}}', "two whole numbers"),
        ('{"name": "zoom", "arguments": {"<|image_pad|>": 1}}', "unexpected keyword"),
        ('{"name": "<|vision_start|><|image_pad|>", "arguments": {}}', "not found"),
        ('{"name": "reset", "arguments": {"images": []}}', "not found"),
        ('{"name": "zoom", "arguments": [1, 2]}', "must be a mapping"),
        ('{"name": "zoom", "arguments": ', None),
        ('{"name": 5}', None),
        ("[]", None),
        ("__import__('os').system('false')", None),
    ],
)
def test_a_native_call_of_any_shape_is_answered_or_ends_the_conversation(
    call, told, calling_qwen3, tiny_digits, tmp_path
):
    """The first turn is given, a control token in it spelt by JSON's escapes; the model says the others."""
    trainer = make(calling_qwen3, tmp_path, protocol="native", rows=2, num_generations=2)
    stock = trainer._generate_single_turn
    said = trainer.processing_class.tokenizer(NATIVE.replace("{call}", call.replace("<|", "\\u003c|")))["input_ids"]
    turns = iter([([[*said, trainer.eos_token_ids[0]] for _ in range(2)], None)])
    trainer._generate_single_turn = lambda *a, **k: next(turns, None) or stock(*a, **k)
    batch = trainer._generate_and_score_completions(rows(tiny_digits, times=2, protocol="native")[:2])
    for conversation in list(trainer._logs["completion"]):
        answers = [turn["content"] for turn in conversation[1:2]]
        assert (told is None) == (not answers)
        assert told is None or told in str(answers)
    assert len(batch["completion_ids"]) == 2


def words(model, data, out, *more):
    return [
        *("--model", str(model), "--data", str(data), "--output_dir", str(out), "--environment", "zoom"),
        *("--max_steps", "2", "--num_generations", "4", "--per_device_train_batch_size", "16", "--logging_steps", "1"),
        *("--max_completion_length", "260", "--gradient_checkpointing", "false", "--loss_type", "grpo", *more),
    ]


def test_a_table_too_small_to_read_is_zoomed_into(calling_on_tables, tiny_tables, tmp_path):
    rewards = ["--rewards", "decoding", "correctness", "line_format", "--max_steps", "1"]
    grpo.main(words(calling_on_tables, tiny_tables, tmp_path / "out", *rewards))
    rollouts = jsonl.read(tmp_path / "out/completions.jsonl")
    shown = [size for rollout in rollouts for turn in rollout["turns"] for size in turn.get("pictures", ())]
    assert len(shown) > 4
    assert {tuple(size) for size in shown} == {(600, 600)}, "regions of 400 pixels, as large as the picture"
    assert {tuple(rollout["rewards"]) for rollout in rollouts} == {("decoding", "correctness", "line_format")}
    (line,) = [line for line in jsonl.read(tmp_path / "out/metrics.jsonl") if "loss" in line]
    assert np.isfinite(line["loss"])


@pytest.mark.parametrize("caller", PROTOCOLS)
def test_a_run_calls_looks_and_keeps_everything(caller, request, tiny_digits, tmp_path):
    grpo.main(
        words(request.getfixturevalue(caller), tiny_digits, tmp_path / "out", "--max_tool_calling_iterations", "2")
    )
    rollouts = jsonl.read(tmp_path / "out/completions.jsonl")
    calls = [sum(turn["role"] != "assistant" for turn in rollout["turns"]) for rollout in rollouts]
    errors = [
        sum(bool(re.search("Error:|'error':", turn["text"])) for turn in rollout["turns"]) for rollout in rollouts
    ]
    pictures = [sum(len(turn.get("pictures", ())) for turn in rollout["turns"]) for rollout in rollouts]
    assert {0, 1} < set(calls) <= {0, 1, 2}
    assert [one + other for one, other in zip(errors, pictures, strict=True)] == calls
    assert sum(errors) > 0
    metrics = [line for line in jsonl.read(tmp_path / "out/metrics.jsonl") if "loss" in line]
    for number, line in enumerate(metrics):
        of_step = slice(16 * number, 16 * number + 16)
        assert line["tools/call_frequency"] == pytest.approx(sum(calls[of_step]) / 16)
        assert line["tools/failure_frequency"] == pytest.approx(sum(errors[of_step]) / sum(calls[of_step]))
        assert np.isfinite(line["loss"])
    assert len(metrics) == 2


@pytest.mark.parametrize(
    "more, refused",
    [
        (("--use_vllm", "true"), "environment zoom .* use_vllm: false"),
        (("--fast", "on"), "environment zoom shows pictures within completions"),
    ],
)
def test_settings_that_cannot_work_are_one_line(more, refused, calling_qwen, tiny_digits, tmp_path, capsys):
    with pytest.raises(SystemExit):
        grpo.main(words(calling_qwen, tiny_digits, tmp_path / "out", *more))
    assert re.search(rf"^error: .*{refused}", capsys.readouterr().err, flags=re.M)


def test_a_family_without_support_is_one_line(tiny_smolvlm, tiny_digits, tmp_path, capsys):
    with pytest.raises(SystemExit):
        grpo.main(words(tiny_smolvlm, tiny_digits, tmp_path / "out"))
    assert "environment zoom cannot talk with" in capsys.readouterr().err


@pytest.mark.parametrize("pictures", [(), ("0.png", "1.png")])
def test_rows_without_one_picture_are_refused(pictures, tiny_digits):
    row = Row(id="odd", images=tuple(f"images/{name}" for name in pictures), problem="?", solution="1", task="digits")
    with pytest.raises(UserError, match="zoom looks into one"):
        ENVIRONMENT.asked(row, root=tiny_digits, protocol="text")
