"""Which rows a run sees, and what TRL's trainers are given of them."""

import pytest
from PIL import Image

from tiny_data import tiny_rows
from vlm_grpo.errors import UserError
from vlm_grpo.methods import examples
from vlm_grpo.rows.pictures import check_pictures
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.registry import check_solutions
from vlm_grpo.tasks.view import View


def test_the_draw_depends_on_its_own_seed_alone():
    everything = tiny_rows(40)
    drawn = examples.draw(everything, count=10, seed=1, where="x")
    assert drawn == examples.draw(everything, count=10, seed=1, where="x")
    assert drawn != examples.draw(everything, count=10, seed=2, where="x")
    assert len({row.id for row in drawn}) == 10
    assert examples.draw(everything, count=None, seed=1, where="x") == everything


@pytest.mark.parametrize("count", [0, -1, 41])
def test_more_rows_than_there_are_is_told(count):
    with pytest.raises(UserError, match=f"vsr has 40 rows, num_rows asks for {count}"):
        examples.draw(tiny_rows(40), count=count, seed=1, where="vsr")


def test_a_solution_that_is_no_truth_value_is_told():
    broken = tiny_rows(3)
    broken[2] = broken[2].model_copy(update={"solution": "<answer> Perhaps </answer>"})
    with pytest.raises(UserError, match=r"data row validation-002: solution .*Perhaps.* neither True nor False"):
        check_solutions(broken, where="data")


@pytest.mark.parametrize("spoil,message", [("unlink", "missing"), ("empty", "0 bytes")])
def test_a_picture_that_is_not_there_is_told(tmp_path, spoil, message):
    from tiny_data import save_pictures

    save_pictures(tmp_path)
    victim = tmp_path / "images" / "green.png"
    victim.unlink() if spoil == "unlink" else victim.write_bytes(b"")
    with pytest.raises(UserError, match=rf"green\.png is .*{message}"):
        check_pictures(tiny_rows(4), root=tmp_path)


def test_grpo_rows_open_their_pictures_as_rgb_when_asked(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("CMYK", (40, 30), (0, 255, 255, 0)).save(tmp_path / "images" / "red.jpg")
    row = tiny_rows(1)[0].model_copy(update={"images": ("images/red.jpg",)})
    view = View(frame="resized_pixels", sizes=((40, 30),), shown=((56, 28),))
    dataset = examples.grpo_dataset([row], root=tmp_path, prompt="reason", views={row.id: view})
    (tmp_path / "unused").mkdir()
    first = dataset[0]
    assert (first["images"][0].mode, first["images"][0].size) == ("RGB", (40, 30))
    assert Row.model_validate_json(first["row"]) == row
    assert View.model_validate_json(first["view"]) == view
    assert first["prompt"][0]["content"].startswith(row.problem)
    assert "<think>" in first["prompt"][0]["content"]


@pytest.mark.parametrize("target,texts", [("bare", ["True", "False"]), ("yes_no", ["Yes.", "No."])])
def test_sft_teaches_the_answer_in_the_wording_asked(tiny_data, target, texts):
    dataset = examples.sft_dataset(tiny_rows(2), root=tiny_data, prompt="answer", target=target)
    assert [dataset[i]["completion"][0]["content"] for i in range(2)] == texts
    with pytest.raises(UserError, match="unknown target 'poem' of task vsr; known: bare, yes_no, tagged"):
        examples.sft_dataset(tiny_rows(2), root=tiny_data, prompt="answer", target="poem")
