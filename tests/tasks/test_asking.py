"""Rows as a model is asked: pictures stand where the text says, the same in training and evaluation."""

import re

import pytest
from trl.data_utils import prepare_multimodal_messages

from tiny_data import save_pictures
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.lengths import PromptLengths
from vlm_grpo.methods import examples
from vlm_grpo.prompts import placed
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks import asking
from vlm_grpo.tasks.view import AS_IS

ROWS = [
    Row(id="text", images=(), problem="Is water wet?", solution="Yes", task="jsonl"),
    Row(id="first", images=("images/red.png", "images/blue.png"), problem="Red?", solution="Yes", task="jsonl"),
    Row(
        id="placed",
        images=("images/red.png", "images/blue.png"),
        problem="Is <image> as red as\n<image>",
        solution="Yes",
        task="jsonl",
    ),
    Row(id="vsr", images=("images/red.png",), problem="Is it true: red?", solution="True", task="vsr"),
]


@pytest.mark.parametrize(
    "text, images, marker, parts",
    [
        ("a", 0, "<image>", ["a"]),
        ("a", 2, "<image>", [None, None, "a"]),
        ("<image>a", 1, None, [None, "<image>a"]),
        ("<image>a", 1, "<image>", [None, "a"]),
        ("a <image> b<image>", 2, "<image>", ["a ", None, " b", None]),
        ("<image><image>\nb", 2, "<image>", [None, None, "\nb"]),
        ("a <image> b", 2, "<image>", [None, None, "a <image> b"]),
    ],
)
def test_pictures_stand_where_markers_are(text, images, marker, parts):
    assert [part.get("text") for part in placed(text, images=images, marker=marker)] == parts


def test_training_and_evaluation_ask_alike(tmp_path):
    save_pictures(tmp_path)
    for template in ("reason", "answer"):
        data = examples.grpo_dataset(
            ROWS, root=tmp_path, prompt=template, views=dict.fromkeys([r.id for r in ROWS], AS_IS)
        )
        for row, given in zip(ROWS, data, strict=True):
            (turn,) = prepare_multimodal_messages(given["prompt"], images=given["images"])
            shown = [part.pop("image") for part in turn["content"] if part["type"] == "image"]
            assert [turn] == asking.messages(row, template=template)
            assert shown == given["images"]


def test_the_words_of_a_row_leave_markers_out():
    assert [asking.texts(row) for row in ROWS[1:3]] == [("Red?",), ("Is ", " as red as\n")]
    caption = ROWS[3].model_copy(update={"problem": "the <image> is red"})
    assert asking.texts(caption) == ("the <image> is red",)


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_placed_pictures_are_encoded_at_the_counted_length(family, request, tmp_path):
    save_pictures(tmp_path)
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    processor = checkpoint.load_processor()
    lengths = PromptLengths(
        checkpoint.adapter, processor, root=tmp_path, ask=lambda row: asking.messages(row, template="answer")
    )
    (asked,) = asking.render([ROWS[2]], processor, template="answer")
    pictures = [[open_picture(tmp_path, name) for name in ROWS[2].images]]
    encoded = checkpoint.adapter.encode(processor, [asked.text], pictures)
    assert encoded["input_ids"].shape[1] == lengths(ROWS[2])
    read = re.sub(r"(<image>|<\|image_pad\|>|<IMG_CONTEXT>)+", "#", processor.decode(encoded["input_ids"][0]))
    assert re.search(r"Is[^#]*#.* as red as\n?[^#]*#", read, re.DOTALL)
