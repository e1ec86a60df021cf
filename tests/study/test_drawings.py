"""The page of drawings: truth and the arms' answers where they are on the picture, and what each is worth."""

import json
import re

import pytest

from tiny_data import tiny_rows
from vlm_grpo.embedded import tiny_grounding
from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.rows import dataset
from vlm_grpo.study import drawings
from vlm_grpo.study.drawings import Sheet
from vlm_grpo.tasks.masks.task import TASK
from vlm_grpo.tasks.registry import task_of


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "data"
    tiny_grounding.build(folder, kind="rec", seed=0, rows={"train": 2, "validation": 2, "test": 5})
    return folder


@pytest.fixture(scope="module")
def rows(root):
    return dataset.load(root, "test")


@pytest.fixture(scope="module")
def arms(rows):
    """An arm that is right, one that gives the whole picture, and one that cannot be read."""
    texts = {
        "right": [f"<answer> {row.solution} </answer>" for row in rows],
        "whole": ["<answer> [0, 0, 224, 224] </answer>"] * len(rows),
        "<mute>": ["somewhere"] * len(rows),
    }
    return {
        name: {row.id: task_of(row).outcome(text, row, rule="strict") for row, text in zip(rows, said, strict=True)}
        for name, said in texts.items()
    }


def points(box):
    left, top, right, bottom = box
    return f"{left},{top} {right},{top} {right},{bottom} {left},{bottom} "


def test_every_panel_draws_its_answer_over_the_truth(rows, arms, root):
    page = drawings.render([Sheet(rows=rows, arms=arms, root=root)], title="Boxes & co", count=9)
    assert page.count("<article>") == len(rows)
    assert page.count("<svg") == len(rows) * (1 + len(arms))
    for row in rows:
        # The truth once by itself, and dashed in each panel; said by the arm that is right. With halos beneath.
        truth = re.findall(rf'class="(\w+)" points="{points(json.loads(row.solution))}"', page)
        assert sorted(truth) == sorted(["halo", "true", *["reference"] * 3, "halo", "said"])
    assert page.count(f'class="said" points="{points([0, 0, 224, 224])}"') == len(rows)
    assert page.count("<span>unparsed</span>") == len(rows)
    assert page.count("<span>1.00</span>") == len(rows)
    assert "Boxes &amp; co" in page
    assert "&lt;mute&gt;" in page
    assert "<mute>" not in page


def test_the_same_seed_draws_the_same_rows(rows, arms, root):
    sheet = Sheet(rows=rows, arms=arms, root=root)
    pages = [drawings.render([sheet], title="t", count=2, seed=seed) for seed in (0, 0, 1)]
    assert pages[0] == pages[1] != pages[2]
    assert pages[0].count("<article>") == 2
    assert "drawn at random (seed 0)" in pages[0]
    assert "2 of 5 rows" in pages[0]


def test_a_page_of_several_sheets_draws_masks_beside_boxes(rows, arms, root, tmp_path):
    tiny_grounding.build(tmp_path / "masks", kind="masks", seed=0, rows={"train": 2, "validation": 2, "test": 3})
    outlined = dataset.load(tmp_path / "masks", "test")
    target = {row.id: TASK.target(row, "tagged") for row in outlined}
    said = {row.id: TASK.outcome(target[row.id], row, rule="strict") for row in outlined}
    sheets = [
        Sheet(rows=rows, arms=arms, root=root, name="rec"),
        Sheet(rows=outlined, arms={"right": said}, root=tmp_path / "masks", name="masks"),
    ]
    page = drawings.render(sheets, title="t", back="../index.html")
    assert re.findall(r'<section id="(\w+)">', page) == ["rec", "masks"] == re.findall(r'<a href="#(\w+)">', page)
    assert page.count("<article>") == len(rows) + len(outlined)
    assert '<a href="../index.html">Overview</a>' in page
    masks = page[page.index('id="masks"') :]
    for row in outlined:
        (outline,) = TASK.outlines(said[row.id].said, row)
        drawn = "".join(f"{x:g},{y:g} " for x, y in outline.points)
        assert masks.count(f'class="said" points="{drawn}"') == 1
        assert f"<span>{said[row.id].credit:.2f}</span>" in masks


def test_only_answers_that_lie_on_a_picture_are_drawn(rows, arms, root):
    def arm(its_rows):
        return Arm(
            folder=root, manifest={}, scores={}, root=root, rows=its_rows, generations={}, outcomes=arms["right"]
        )

    assert drawings.can_draw({"base": arm(rows)})
    assert not drawings.can_draw({"base": arm(tiny_rows(3))})
    sheet = drawings.sheet_of({"base": arm(rows), "grpo@7": arm(rows), "grpo@42": arm(rows)}, name="test")
    assert (list(sheet.arms), sheet.rows, sheet.name) == (["base", "grpo"], rows, "test")
