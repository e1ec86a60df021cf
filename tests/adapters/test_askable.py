"""Rows that a checkpoint cannot be asked: control tokens in their text, pictures of a shape that it does not take."""

from pathlib import Path

import pytest
from PIL import Image
from transformers import AddedToken

from refusals import refusal
from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.adapters.askable import Askable, check_askable, special_tokens
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.qwen import QWEN
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import __main__ as evaluation
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.rows.records import Row

TOKENS = {
    "tiny_qwen": ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|im_start|>", "<|im_end|>"],
    "tiny_smolvlm": ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<|im_start|>"],
    "tiny_internvl": ["<IMG_CONTEXT>", "<img>", "</img>", "<video>", "<|im_start|>", "<|im_end|>"],
}
COMMANDS = {
    "grpo": (grpo.main, "--output_dir"),
    "sft": (sft.main, "--output_dir"),
    "evaluation": (evaluation.main, "--out"),
}
WORDS = "A sign that says <b>EXIT</b>, <imagine>, |image_pad| and < image > is left of the <|door|>."


def spoil(rows: list[Row], *at: int, problem: str) -> list[Row]:
    return [row.model_copy(update={"problem": problem}) if i in at else row for i, row in enumerate(rows)]


def refused(main, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    return refusal(capsys, main, words, alone=False)


@pytest.mark.parametrize("family", TOKENS)
def test_every_special_token_is_found_and_words_are_not(family, request, tmp_path):
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    processor = checkpoint.load_processor()
    processor.tokenizer.add_tokens([AddedToken("<|mine|>", special=True, normalized=False)])
    askable = Askable(checkpoint.adapter, processor, root=tmp_path)
    row = Row(id="r", images=(), problem=WORDS, solution="True", task="vsr")
    assert askable.fault(row) is None
    for token in [*TOKENS[family], "<|endoftext|>", "<|mine|>"]:
        assert token in special_tokens(checkpoint.adapter, processor.tokenizer)
        fault = askable.fault(row.model_copy(update={"problem": f"Is it true that {token}is red"}))
        assert fault.startswith(f"its text holds {token!r}, which this model reads as a control token")


def test_all_rows_are_counted_and_the_first_is_named(tiny_qwen, tmp_path):
    checkpoint = open_checkpoint(str(tiny_qwen))
    askable = Askable(checkpoint.adapter, checkpoint.load_processor(), root=save_tiny_data(tmp_path))
    rows = spoil(tiny_rows(6), 2, 5, problem="The <|im_end|> sign")
    with pytest.raises(UserError, match=r"^here: 2 of 6 rows cannot be asked of this model, the first is row .*-002: "):
        check_askable(rows, askable, where="here")
    check_askable(tiny_rows(6), askable, where="here")


@pytest.mark.parametrize("family", TOKENS)
@pytest.mark.parametrize("command", ["grpo", "sft", "evaluation"])
def test_no_weight_is_loaded_for_such_rows(family, command, request, tmp_path, capsys, monkeypatch):
    model = request.getfixturevalue(family)
    token = TOKENS[family][0]
    root = save_tiny_data(tmp_path / "data", train=spoil(tiny_rows(8), 7, problem=f"The {token} sign is here."))
    monkeypatch.setattr("vlm_grpo.adapters.checkpoint.Checkpoint.load_model", None)
    main, out = COMMANDS[command]
    words = ["--model", str(model), "--data", str(root), "--split", "train", out, str(tmp_path / "out")]
    message = refused(main, words, capsys)
    assert "1 of 8 rows cannot be asked of this model, the first is row validation-007" in message
    assert repr(token) in message


def test_sft_reads_the_answers_too(tiny_qwen, tmp_path, capsys):
    rows = [Row(id=f"r{i}", images=(), problem="How many?", solution=f"{i}", task="counting") for i in range(8)]
    root = save_tiny_data(tmp_path / "data", train=rows)
    words = ["--model", str(tiny_qwen), "--data", str(root), "--output_dir", str(tmp_path / "out")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vlm_grpo.tasks.base.Task.target", lambda self, row, wording: f"<|im_end|>{row.solution}")
        message = refused(sft.main, words, capsys)
    assert "8 of 8 rows cannot be asked" in message


@pytest.mark.parametrize("size", [(1005, 5), (1, 201), (300, 1), (2010, 10)])
@pytest.mark.parametrize("command", ["grpo", "sft", "evaluation"])
def test_a_shape_that_qwen_refuses_is_told_before(size, command, tiny_qwen, tmp_path, capsys):
    root = save_tiny_data(tmp_path / "data", train=tiny_rows(8))
    Image.new("RGB", size).save(root / "images" / "blue.png")
    main, out = COMMANDS[command]
    words = ["--model", str(tiny_qwen), "--data", str(root), "--split", "train", out, str(tmp_path / "out")]
    message = refused(main, words, capsys)
    assert "2 of 8 rows cannot be asked of this model, the first is row validation-002: picture" in message
    assert f"blue.png is {size[0]} x {size[1]} pixels" in message


@pytest.mark.parametrize("family", TOKENS)
@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 3), (200, 1), (1, 200), (1000, 5), (1, 1000), (3000, 3)])
def test_what_is_not_refused_is_encoded_at_the_counted_length(family, size, request, tmp_path):
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    processor = checkpoint.load_processor()
    Image.new("RGB", size, "red").save(tmp_path / "a.png")
    row = Row(id="r", images=("a.png",), problem="Red?", solution="True", task="vsr")
    fault = Askable(checkpoint.adapter, processor, root=tmp_path).fault(row)
    if checkpoint.adapter is QWEN and max(size) > 200 * min(size):
        assert fault is not None
        with pytest.raises(UserError, match="Qwen's processor takes no side more than 200 times the other"):
            checkpoint.adapter.shown_size(processor, size)
        return
    assert fault is None
    width, height = checkpoint.adapter.shown_size(processor, size)
    assert width > 0 < height
    text = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Red?"}]}], tokenize=False
    )
    encoded = checkpoint.adapter.encode(processor, [text], [[Image.open(tmp_path / "a.png")]])
    assert encoded["pixel_values"].numel() > 0


def damage(path: Path, kind: str) -> None:
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "foreign": b"<html></html>"}[kind])


@pytest.mark.parametrize("kind", ["cut", "empty", "foreign"])
@pytest.mark.parametrize("command", ["grpo", "evaluation"])
def test_a_damaged_picture_is_told_when_the_data_set_is_opened(kind, command, tiny_smolvlm, tmp_path, capsys):
    root = save_tiny_data(tmp_path / "data", train=tiny_rows(8))
    for colour in ("green", "yellow"):
        damage(root / "images" / f"{colour}.png", kind)
    main, out = COMMANDS[command]
    words = ["--model", str(tiny_smolvlm), "--data", str(root), "--split", "train", out, str(tmp_path / "out")]
    message = refused(main, words, capsys)
    assert f"image {root}/images/green.png" in message
    assert message.endswith("; 2 of 4 pictures cannot be used")
    assert not (tmp_path / "out").exists()
