"""The watched layer's attention is the one that eager attention gives, and each picture token has its place."""

import pytest
import torch
from PIL import Image

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.lora import open_lora
from vlm_grpo.attention.look import look, with_completion
from vlm_grpo.attention.shown import pieces_of
from vlm_grpo.attention.watch import attention_layers
from vlm_grpo.errors import UserError

FAMILIES = ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"]
TWO = [(112, 84), (56, 84)]


def asked(checkpoint, sizes, **options):
    """A prompt with a picture of each of `sizes`, a processor, and four ids to go on with."""
    processor = checkpoint.load_processor(**options)
    content = [{"type": "image"} for _ in sizes] + [{"type": "text", "text": "Which is larger?"}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    pictures = [Image.linear_gradient("L").convert("RGB").resize(size) for size in sizes]
    completion = processor.tokenizer(" the left one", add_special_tokens=False)["input_ids"]
    return processor, checkpoint.adapter.encode(processor, [text], [pictures]), completion


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [None, 0])
def test_weights_are_those_of_eager_attention(family, layer, request):
    adapter = open_lora(request.getfixturevalue(f"{family}_lora"), base=str(request.getfixturevalue(family)))
    checkpoint = adapter.base
    processor, encoded, completion = asked(checkpoint, TWO)
    model = adapter.attach(checkpoint.load_model(dtype=torch.float32)).get_base_model().eval()
    seen = look(model, checkpoint.adapter, processor, encoded, completion, sizes=TWO, layer=layer)

    eager = adapter.attach(checkpoint.load_model(dtype=torch.float32, attention="eager")).get_base_model().eval()
    with torch.no_grad():
        whole = with_completion(encoded, completion, device=eager.device)
        attentions = eager(**whole, output_attentions=True, use_cache=False).attentions
    assert seen.layers == len(attentions)
    expected = attentions[seen.layer][0].mean(0)[seen.prompt_length - 1 : -1]
    torch.testing.assert_close(seen.weights, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_look_leaves_the_model_as_it_was(family, request):
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    processor, encoded, completion = asked(checkpoint, [(112, 112)])
    model = checkpoint.load_model(dtype=torch.float32).eval()
    whole = with_completion(encoded, completion, device=model.device)
    with torch.no_grad():
        before = model(**whole, use_cache=False).logits
        look(model, checkpoint.adapter, processor, encoded, completion, sizes=[(112, 112)], layer=None)
        assert torch.equal(before, model(**whole, use_cache=False).logits)
    assert {layer.config._attn_implementation for layer in attention_layers(model, checkpoint.adapter)} == {"sdpa"}


def test_qwens_cells_follow_the_grid(tiny_qwen):
    checkpoint = open_checkpoint(str(tiny_qwen))
    sizes = [(112, 56), (56, 56)]
    processor, encoded, _ = asked(checkpoint, sizes)
    cells = checkpoint.adapter.picture_cells(processor, encoded, sizes)
    grids = [(grid[1] // 2, grid[2] // 2) for grid in encoded["image_grid_thw"].tolist()]
    for picture, (rows, columns) in enumerate(grids):
        boxes = [cell.box for cell in cells if cell.picture == picture]
        assert len(boxes) == rows * columns
        assert boxes[0] == (0, 0, 1 / columns, 1 / rows)
        assert boxes[-1] == pytest.approx((1 - 1 / columns, 1 - 1 / rows, 1, 1))
    assert [cell.token for cell in cells] == (encoded["input_ids"][0] == processor.image_token_id).nonzero()[
        :, 0
    ].tolist()


def test_smolvlms_tiles_are_put_back_in_place(tiny_smolvlm):
    checkpoint = open_checkpoint(str(tiny_smolvlm))
    edge = checkpoint.load_processor().image_processor.max_image_size["longest_edge"]
    sizes = [(2 * edge, edge)]
    processor, encoded, _ = asked(checkpoint, sizes, longest_edge=2 * edge, image_splitting=True)
    tiles = encoded["pixel_values"].shape[1]
    assert tiles == 3, "two tiles and the whole picture"
    cells = checkpoint.adapter.picture_cells(processor, encoded, sizes)
    size = len(cells) // tiles
    lefts = [min(cell.box[0] for cell in cells[at * size : (at + 1) * size]) for at in range(tiles)]
    rights = [max(cell.box[2] for cell in cells[at * size : (at + 1) * size]) for at in range(tiles)]
    assert (lefts, rights) == (pytest.approx([0, 0.5, 0]), pytest.approx([0.5, 1, 1]))
    assert {cell.picture for cell in cells} == {0}
    assert len({cell.token for cell in cells}) == len(cells)


def test_internvls_tiles_are_put_back_in_place(tiny_internvl):
    """Three tiles, one below the other, and the whole; the gradient grows brighter from tile to tile."""
    checkpoint = open_checkpoint(str(tiny_internvl))
    sizes = [(112, 336), (112, 112), (336, 100)]
    processor, encoded, _ = asked(checkpoint, sizes)
    cells = checkpoint.adapter.picture_cells(processor, encoded, sizes)
    whole = [cell for cell in cells if cell.box[2] - cell.box[0] == 0.25 == cell.box[3] - cell.box[1]]
    assert [len([cell for cell in cells if cell.picture == picture]) for picture in range(3)] == [64, 16, 64]
    assert [len([cell for cell in whole if cell.picture == picture]) for picture in range(3)] == [16, 16, 16]
    assert [cell.token for cell in cells] == (encoded["input_ids"][0] == processor.image_token_id).nonzero()[
        :, 0
    ].tolist()
    brightness = encoded["pixel_values"].mean((1, 2, 3))
    for tile, top in enumerate((0, 1 / 3, 2 / 3)):
        of_tile = cells[16 * tile : 16 * tile + 16]
        assert min(cell.box[1] for cell in of_tile) == pytest.approx(top)
        assert (min(cell.box[0] for cell in of_tile), max(cell.box[2] for cell in of_tile)) == (0, 1)
    assert brightness[:3].tolist() == sorted(brightness[:3].tolist())


def test_a_layer_that_is_not_there(tiny_qwen):
    checkpoint = open_checkpoint(str(tiny_qwen))
    processor, encoded, completion = asked(checkpoint, [(56, 56)])
    model, sizes = checkpoint.load_model(dtype=torch.float32), [(56, 56)]
    with pytest.raises(UserError, match="layer 99: the model's layers are 0 to"):
        look(model, checkpoint.adapter, processor, encoded, completion, sizes=sizes, layer=99)


def test_pieces_join_to_the_whole_text(tiny_qwen):
    tokenizer = open_checkpoint(str(tiny_qwen)).load_processor().tokenizer
    ids = tokenizer("Über die Straße: ✓ 🙂 done", add_special_tokens=False)["input_ids"]
    pieces = pieces_of(tokenizer, ids)
    assert len(pieces) == len(ids)
    assert "".join(pieces) == tokenizer.decode(ids)
