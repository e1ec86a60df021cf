"""DrivingVQA and A-OKVQA from schema-true miniatures of their files to rows."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from driving_files import aokvqa_folder, driving_folder, item, two_questions
from picture_server import answer
from refusals import refusal
from vlm_grpo.methods import examples
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.aokvqa.command import main as aokvqa
from vlm_grpo.tasks.driving import source
from vlm_grpo.tasks.driving.command import main
from vlm_grpo.tasks.registry import check_solutions, task_of
from vlm_grpo.tasks.view import View


def built(folder, out, *options):
    main(["--folder", str(folder), "--out", str(out), *options])
    return out


def test_rows_say_what_the_files_say(tmp_path, capsys):
    out = built(driving_folder(tmp_path / "files"), tmp_path / "rows")
    train, test = dataset.load(out, "train"), dataset.load(out, "test")
    assert [row.id for row in train] == ["train-0", "train-7", "train-12", "train-13"]
    check_solutions(train + test, where="rows")
    one, two = train[0], train[2]
    assert one.solution == "B, C"
    assert one.problem.startswith(
        "You drive a car in France. Select every right option.\nWhat may I do?\n(A) Turn left"
    )
    assert one.meta["entities"] == [
        {"label": "white van", "bbox_2d": [10.0, 20.0, 50.5, 50.0]},
        {"label": "white van", "bbox_2d": [100.0, 50.0, 130.0, 80.0]},
        {"label": "sign", "bbox_2d": [150.0, 5.0, 170.0, 25.0]},
    ]
    assert one.meta["explanation_boxes"] == (
        "The [10,20,50,50 white van] and the [150,5,170,25 sign] stop me; another [100,50,130,80 white van] waits."
    )
    assert one.meta["explanation"] == "The white van and the sign stop me; another white van waits."
    assert (two.meta["questions"], two.solution) == (2, "A, C")
    assert "Is the street wet?\n(A) Yes\n(B) No\nWhat do I do?\n(C) Brake\n(D) Go on" in two.problem
    told = manifest.read(out)
    assert told["two_questions"] == {"train": 1, "test": 1}
    assert told["boxes"] == {"train": 12, "test": 6}
    assert "train: 4 rows about 4 pictures; two questions 1, several right 4" in capsys.readouterr().out


def test_rows_lie_in_one_frame_whatever_the_pictures_name_is(tmp_path):
    """`img_filename` with the folder's name, as on the hub, or without."""
    bare = {"0": item(0, img_filename="0.jpg")}
    files = driving_folder(tmp_path / "files", bare, {"1": item(1)})
    (files / "images" / "0.jpg").write_bytes((files / "0.jpg").read_bytes())
    out = built(files, tmp_path / "rows")
    assert [dataset.load(out, split)[0].images for split in ("train", "test")] == [("images/0.jpg",), ("images/1.jpg",)]


def test_an_item_with_two_questions_needs_both(tmp_path):
    row = dataset.load(built(driving_folder(tmp_path / "files"), tmp_path / "rows"), "test")[1]
    worth = {said: task_of(row).outcome(f"<answer> {said} </answer>", row, rule="strict").right for said in "ABC"}
    assert not any(worth.values())
    assert task_of(row).outcome("<answer> C, A </answer>", row, rule="strict").right


def test_what_sft_teaches_earns_everything(tmp_path):
    for boxes in ("bbox", "original"):
        row = dataset.load(
            built(driving_folder(tmp_path / boxes), tmp_path / f"{boxes}_rows", "--boxes", boxes), "train"
        )[0]
        said = task_of(row).target(row, "explained")
        named = 1.0 if boxes == "bbox" else 0.0
        scores = {name: REWARDS[name].score(said, row, rule="strict") for name in ("accuracy", "format", "boxes_50")}
        assert scores == {"accuracy": 1.0, "format": 1.0, "boxes_50": named}
        assert ("[" in said) is (boxes == "bbox")


def test_rollouts_and_sft_are_told_and_taught_the_models_frame(tmp_path):
    out = built(driving_folder(tmp_path / "files"), tmp_path / "rows")
    rows = dataset.load(out, "train")[:1]
    seen = {rows[0].id: View(frame="resized_pixels", sizes=((200, 100),), shown=((400, 300),))}
    (of_grpo,) = examples.grpo_dataset(rows, root=out, prompt="reason", views=seen)
    (of_sft,) = examples.sft_dataset(rows, root=out, prompt="reason", target="explained", views=seen)
    (bare,) = examples.sft_dataset(rows, root=out, prompt="answer", target="bare", views=seen)
    for asked in (of_grpo, of_sft):
        text = asked["prompt"][0]["content"]
        assert "as [x1,y1,x2,y2 name], its box in pixels of the 400 x 300 image. Think about the image" in text
    assert of_sft["completion"][0]["content"].startswith("<think> The [20,60,100,150 white van] and")
    assert "[x1" not in bare["prompt"][0]["content"], "what does not reason names no boxes"


def test_the_studys_filters_and_parts(tmp_path):
    train = {str(n): item(n) for n in range(9)} | {"20": two_questions(20), "21": item(21, img_size=[2000, 1900])}
    test = {"22": item(22)}
    out = built(driving_folder(tmp_path / "files", train, test), tmp_path / "rows", "--as-the-study", "--sft-rows", "4")
    parts = {split: [row.id for row in dataset.load(out, split)] for split in ("sft", "grpo", "test")}
    assert {split: len(ids) for split, ids in parts.items()} == {"sft": 4, "grpo": 5, "test": 1}
    assert not {*parts["sft"]} & {*parts["grpo"]}
    assert sorted(parts["sft"] + parts["grpo"]) == [f"train-{n}" for n in range(9)]
    reasons = {entry["id"]: entry["reason"] for entry in manifest.read(out)["dropped"]}
    assert reasons["train-20"] == "filter: it has two questions"
    assert reasons["train-21"] == "filter: its picture of 2000 x 1900 has more than 3686400 pixels"
    again = built(tmp_path / "files", tmp_path / "again", "--as-the-study", "--sft-rows", "4")
    assert [row.id for row in dataset.load(again, "sft")] == parts["sft"]


def test_boxes_outside_and_without_a_name_are_counted(tmp_path):
    odd = item(
        0,
        interleaved_explanation=(
            "Here [1.0, 2.0, 3.0, 4.0] and the sign [300.0, 5.0, 20.0, 20.0] and **vans** [90.0, 5, 200, 20], "
            "[1, 1, 9, 9]."
        ),
        relevant_entities=[{"sign": [300.0, 5.0, 20.0, 20.0]}, {"van": [[90.0, 5.0, 200.0, 20.0]]}],
    )
    out = built(driving_folder(tmp_path / "files", {"0": odd}), tmp_path / "rows")
    (row,) = dataset.load(out, "train")
    assert row.meta["explanation_boxes"] == "Here and the sign and [90,5,200,25 van] and [1,1,10,10 vans]."
    assert row.meta["entities"] == [{"label": "van", "bbox_2d": [90.0, 5.0, 200.0, 25.0]}]
    assert manifest.read(out)["boxes_left_out"] == {"entity outside of its picture": 1, "in an explanation": 2}


FAULTS = {
    "true_answers": (["E"], "right letter E is no option"),
    "possible_answers": ({"A": "Stop"}, "possible_answers {'A': 'Stop'} is no object of at least two options"),
    "questions": (["One?", "Two?"], "it has 2 questions where has_multiple_questions means 1"),
    "img_size": ([300, 100], "pixels, and its boxes are for 300 x 100"),
    "img_filename": ("../0.jpg", "no path below the folder of pictures"),
    "relevant_entities": ([{"van": [1, 2, 0, 4]}], "no box [x, y, width, height] of positive sides"),
}


@pytest.mark.parametrize("column", FAULTS)
def test_a_fault_stops_the_build_in_one_line_or_is_left_out(tmp_path, capsys, column):
    value, told = FAULTS[column]
    files = driving_folder(tmp_path / "files")
    items = json.loads((files / "train.json").read_text())
    items["7"][column] = value
    (files / "train.json").write_text(json.dumps(items))
    error = refusal(capsys, main, ["--folder", files, "--out", tmp_path / "rows"])
    assert "1 of 4 items of split 'train' cannot be used, the first is train-7: " in error
    assert told in error
    out = built(files, tmp_path / "rows", "--max-dropped", "0.3")
    assert [row.id for row in dataset.load(out, "train")] == ["train-0", "train-12", "train-13"]


def test_mistakes_of_the_command_line_are_one_line(tmp_path, capsys):
    files = driving_folder(tmp_path / "files")
    out = ("--out", tmp_path / "rows")
    assert "train.json is missing" in refusal(capsys, main, [*out, "--folder", tmp_path])
    assert "--revision has no effect" in refusal(capsys, main, [*out, "--folder", files, "--revision", "x"])
    assert "leaves nothing for GRPO" in refusal(capsys, main, [*out, "--folder", files, "--sft-rows", 4])
    (files / "test.json").write_text('{"0": 5}')
    assert "item '0': 5 is no object" in refusal(capsys, main, [*out, "--folder", files])
    (files / "test.json").write_text("[")
    assert "test.json" in refusal(capsys, main, [*out, "--folder", files])
    driving_folder(tmp_path / "other")
    (tmp_path / "other" / "images" / "0.jpg").write_bytes(b"")
    assert "is empty (0 bytes)" in refusal(capsys, main, [*out, "--folder", tmp_path / "other"])


def test_the_hub_has_the_same_and_its_commit_is_kept(picture_server, tmp_path):
    files = driving_folder(tmp_path / "files")
    with zipfile.ZipFile(files / "images.zip", "w") as archive:
        for path in (files / "images").iterdir():
            archive.write(path, f"images/{path.name}")
    commit = "0123456789abcdef0123456789abcdef01234567"
    for name in ("test.json", "images.zip"):
        sent = answer(200, (files / name).read_bytes(), ETag=f'"{name}"', X_Repo_Commit=commit)
        picture_server.script[f"/datasets/{source.HUB_ID}/resolve/v1/{name}"] = [sent]
    environment = {**os.environ, "HF_ENDPOINT": picture_server.address, "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-m", "vlm_grpo.tasks.driving", "--out", str(tmp_path / "rows"), "--split", "test"]
    subprocess.run([*command, "--revision", "v1"], check=True, env=environment, capture_output=True)
    written = manifest.read(tmp_path / "rows")["inputs"]["source"]
    assert (written["name"], written["revision"]) == (source.HUB_ID, commit)
    assert (tmp_path / "rows" / "images" / "4000.jpg").is_file()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_aokvqa_has_one_letter_and_explanations_where_there_are_some(tmp_path, capsys):
    files = aokvqa_folder(tmp_path / "files")
    words = ("--folder", files, "--images", files / "coco", "--grounded", f"train={files / 'grounded.json'}")
    aokvqa([*map(str, words), "--out", str(tmp_path / "rows")])
    plain, grounded = dataset.load(tmp_path / "rows", "train")
    assert (plain.task, plain.solution, plain.id) == ("aokvqa", "C", "train-q9")
    assert plain.images == ("train2017/000000000009.jpg",)
    assert plain.meta["explanation"] == "The van has a horn on its side."
    assert (plain.meta["explanation_boxes"], plain.meta["entities"]) == (None, None)
    assert plain.meta["direct_answers"].count("letters") == 8
    assert grounded.solution == "A"
    assert grounded.meta["explanation_boxes"].startswith("The [10,20,50,50 white van] and")
    assert len(grounded.meta["entities"]) == 3
    assert dataset.load(tmp_path / "rows", "validation")[0].images == ("val2017/000000000009.jpg",)
    with pytest.raises(SystemExit):
        aokvqa([*map(str, words), "--out", str(tmp_path / "taught"), "--only-explained", "--split", "test"])
    aokvqa([*map(str, words), "--out", str(tmp_path / "taught"), "--only-explained"])
    assert [row.id for row in dataset.load(tmp_path / "taught", "train")] == ["train-q25"]


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"correct_choice_idx": None}, "correct_choice_idx None is none of the 4 choices"),
        ({"choices": ["one"]}, "choices ['one'] is no list of at least two texts"),
        ({"image_id": "9"}, "image_id '9' is no number of a picture"),
    ],
)
def test_aokvqas_faults_are_one_line(tmp_path, capsys, changes, told):
    files = aokvqa_folder(tmp_path / "files")
    questions = json.loads((files / "aokvqa_v1p0_val.json").read_text())
    questions[0].update(changes)
    (files / "aokvqa_v1p0_val.json").write_text(json.dumps(questions))
    out = ("--out", tmp_path / "rows")
    assert told in refusal(capsys, aokvqa, [*out, "--folder", files, "--images", files / "coco"])


def test_explanations_of_other_questions_are_refusal(tmp_path, capsys):
    files = driving_folder(aokvqa_folder(tmp_path))
    words = ("--out", tmp_path / "rows", "--folder", files, "--images", files / "coco", "--grounded")
    assert "has no explanation of any question" in refusal(capsys, aokvqa, [*words, f"train={files / 'train.json'}"])
    assert "expected SPLIT=FILE, once for each of train, validation" in refusal(capsys, aokvqa, [*words, "test=x.json"])
