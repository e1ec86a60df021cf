from functools import partial
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from picture_server import PictureServer, picture, png
from vlm_grpo import prompts
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.adapters.lengths import PromptLengths, check_lengths, context_length
from vlm_grpo.embedded.pretrain import RECIPES
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.images import open_image
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl
from vlm_grpo.tasks import asking
from vlm_grpo.tasks.vsr import command as vsr
from vsr_lines import line, write_lines

SIZES = ((112, 112), (640, 480), (100, 333), (28, 28), (640, 40), (30, 640))
REASON = partial(asking.messages, template="reason")
LONG = "The red square is to the left of the very large blue circle that stands below it."


@pytest.fixture(scope="module", params=["qwen2_5_vl", "smolvlm", "internvl"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A tiny checkpoint of each architecture with random weights: lengths do not depend on them."""
    folder = tmp_path_factory.mktemp(request.param)
    RECIPES[request.param].built(0).save(folder)
    return open_checkpoint(str(folder))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of many sizes, one of them lying on its side."""
    folder = tmp_path_factory.mktemp("pictures")
    for width, height in SIZES:
        Image.new("RGB", (width, height), "red").save(folder / f"{width}x{height}.png")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (30, 640)).save(folder / "sideways.jpg", exif=exif)
    return folder


def row(*images: str, problem: str = "Is the red square on the left?", id: str = "r") -> Row:
    return Row(id=id, images=images, problem=problem, solution="True", task="vsr")


def encoded(checkpoint: Checkpoint, processor: object, asked: Row, root: Path, prompt: str) -> int:
    """The length that the model is really given."""
    messages = prompts.messages(prompt, asked.problem, images=len(asked.images))
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    pictures = [[open_image(root / name) for name in asked.images]]
    return checkpoint.adapter.encode(processor, [text], pictures)["input_ids"].shape[1]


@pytest.mark.parametrize("prompt", list(prompts.TEMPLATES))
def test_lengths_are_those_of_real_encodings(checkpoint: Checkpoint, root: Path, prompt: str) -> None:
    processor = checkpoint.load_processor()
    lengths = PromptLengths(checkpoint.adapter, processor, root=root, ask=partial(asking.messages, template=prompt))
    names = [f"{width}x{height}.png" for width, height in SIZES]
    rows = [row(name) for name in names] + [row("sideways.jpg"), row(names[0], problem=LONG), row(names[0], names[2])]
    assert [lengths(r) for r in rows] == [encoded(checkpoint, processor, r, root, prompt) for r in rows]
    assert lengths(row()) == encoded(checkpoint, processor, row(), root, prompt)


def test_a_processor_whose_formula_is_wrong_or_absent_is_measured(checkpoint: Checkpoint, root: Path) -> None:
    processor = checkpoint.load_processor()
    true_formula = processor._get_num_multimodal_tokens

    class Wrong(type(processor)):
        def _get_num_multimodal_tokens(self, image_sizes: list) -> dict:
            return {"num_image_tokens": [1 + n for n in true_formula(image_sizes=image_sizes)["num_image_tokens"]]}

    processor.__class__ = Wrong
    lengths = PromptLengths(checkpoint.adapter, processor, root=root, ask=REASON)
    for width, height in SIZES:
        asked = row(f"{width}x{height}.png")
        assert lengths(asked) == encoded(checkpoint, processor, asked, root, "reason")


def test_a_row_that_does_not_fit_is_named(checkpoint: Checkpoint, root: Path) -> None:
    lengths = PromptLengths(checkpoint.adapter, checkpoint.load_processor(), root=root, ask=REASON)
    rows = [row("112x112.png", id="short"), row("112x112.png", problem=LONG * 3, id="long")]
    longest = lengths(rows[1])
    check_lengths(rows, lengths, limit=longest, where="data split 'train'")
    with pytest.raises(UserError) as raised:
        check_lengths(rows, lengths, limit=longest - 1, where="data split 'train'")
    with pytest.raises(UserError, match="data: the longest completion leaves no room for a prompt"):
        check_lengths(rows, lengths, limit=-1536, where="data")
    line = str(raised.value)
    assert line.startswith(
        f"data split 'train' row long: prompt of {longest} tokens, more than the {longest - 1} allowed"
    )


def test_a_missing_picture_is_named(checkpoint: Checkpoint, root: Path) -> None:
    lengths = PromptLengths(checkpoint.adapter, checkpoint.load_processor(), root=root, ask=REASON)
    with pytest.raises(UserError, match=r"none\.png is missing"):
        lengths(row("none.png"))


def test_the_context_is_read_from_the_configuration(checkpoint: Checkpoint) -> None:
    assert context_length(checkpoint.path) == 512


def test_building_drops_and_lists_what_is_too_long(
    checkpoint: Checkpoint, picture_server: PictureServer, tmp_path: Path
) -> None:
    picture_server.default = picture(png((112, 112)))
    captions = ["Short.", LONG, "Short again."]
    lines = [line(f"{i}.png", address=picture_server.address, caption=c) for i, c in enumerate(captions)]
    source = write_lines(tmp_path / "train.jsonl", lines)
    arguments = ["--out", str(tmp_path / "all"), "--jsonl", f"train={source}"]
    vsr.main(arguments)
    rows = dataset.load(tmp_path / "all", "train")
    lengths = PromptLengths(checkpoint.adapter, checkpoint.load_processor(), root=tmp_path / "all", ask=REASON)
    limit = lengths(rows[2])
    arguments[1] = str(tmp_path / "short")
    vsr.main([*arguments, "--model", str(checkpoint.path), "--max-prompt-tokens", str(limit)])
    assert [r.id for r in dataset.load(tmp_path / "short", "train")] == ["vsr-train-0000", "vsr-train-0002"]
    reason = f"prompt of {lengths(rows[1])} tokens, more than the {limit} allowed"
    assert jsonl.read(tmp_path / "short" / "dropped.jsonl") == [
        {"split": "train", "id": "vsr-train-0001", "reason": reason}
    ]


def test_the_users_picture_options_count(checkpoint: Checkpoint, root: Path) -> None:
    options = {
        "qwen": {"max_pixels": 400 * 300},
        "smolvlm": {"image_splitting": True, "longest_edge": 448},
        "internvl": {"max_patches": 12},
    }
    processor = checkpoint.load_processor(**options[checkpoint.adapter.family])
    lengths = PromptLengths(checkpoint.adapter, processor, root=root, ask=REASON)
    rows = [row(f"{width}x{height}.png") for width, height in SIZES]
    counted = [lengths(r) for r in rows]
    assert counted == [encoded(checkpoint, processor, r, root, "reason") for r in rows]
    assert max(counted) > 100
