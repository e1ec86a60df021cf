"""Data sets of `rec` from each form that others publish: the same boxes, and every record accounted for."""

import collections
import json
import os
import pickle
from pathlib import Path

import pytest
from PIL import Image

import refer_files
from refusals import refusal
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.rec.answer import NO_TARGET
from vlm_grpo.tasks.rec.command import main
from vlm_grpo.tasks.rec.refer import unpickle
from vlm_grpo.tasks.rec.task import OFFERS_NONE
from vlm_grpo.tasks.view import View

REAL = Path(__file__).parents[4] / "shared" / "data" / "rec" / "refcocos_rows.jsonl"
REFUSED = "plain values"


@pytest.fixture
def images(tmp_path):
    return refer_files.save_pictures(tmp_path / "train2014")


def boxes(root, split):
    return [json.loads(row.solution) for row in dataset.load(root, split)]


def refer(tmp_path, images, *more, **saved):
    file = refer_files.save_refer(tmp_path / "refcoco", **saved)
    out = tmp_path / "out"
    main(["refer", "--out", str(out), "--images", str(images), "--refs", f"refcoco={file}", *more])
    return out


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_refers_pickles(tmp_path, images, protocol, capsys):
    out = refer(tmp_path, images, protocol=protocol)
    rows = dataset.load(out, "train")
    assert [row.id for row in rows] == ["refcoco-1010", "refcoco-1011", "refcoco-1030", "refcoco-1050"]
    assert rows[1].problem == 'Find the one thing in the image that this describes: "dog on the left".'
    assert rows[0].meta == {
        "expression": "the left dog",
        "set": "refcoco",
        "category": "dog",
        "kind": None,
        "hops": None,
        "distractors": None,
        "width": 64,
        "height": 48,
        OFFERS_NONE: False,
    }
    assert boxes(out, "train") == [[4, 8, 24, 38], [4, 8, 24, 38], [0, 0, 40, 60], [10, 10, 30, 30]]
    assert boxes(out, "val") == [[30.5, 10.25, 64, 40.25]]
    assert boxes(out, "testA") == [[80, 5, 90, 25]]
    written = manifest.read(out)
    assert written["counts"] == {"train": 4, "val": 1, "testA": 1}
    assert written["shared_images"] == {"train-val": 1, "train-testA": 0, "val-testA": 0}
    assert written["clipped"] == {"train": 0, "val": 0, "testA": 1}
    assert (out / rows[0].images[0]).samefile(images / refer_files.name_of(11))
    assert "train-val: 1 pictures in both" in capsys.readouterr().out


def test_pictures_of_other_splits_can_be_kept_out_of_training(tmp_path, images):
    out = refer(tmp_path, images, "--apart")
    assert [row.meta["expression"] for row in dataset.load(out, "train")] == ["the only dog", "small dog"]
    assert set(manifest.read(out)["shared_images"].values()) == {0}
    assert [entry["reason"] for entry in jsonl.read(out / "dropped.jsonl")] == [
        f"its picture images/{refer_files.name_of(11)} is shown in val too"
    ] * 2


def test_splits_limits_and_several_sets(tmp_path, images):
    file = refer_files.save_refer(tmp_path / "refcoco+")
    out = refer(tmp_path, images, f"refcoco+={file}", "--splits", "train", "--limit", "2")
    assert [row.id for row in dataset.load(out, "train")] == [
        "refcoco-1010",
        "refcoco-1011",
        "refcoco+-1010",
        "refcoco+-1011",
    ]


def test_rows_held_out_share_no_picture_with_training(tmp_path, images):
    out = refer(tmp_path, images, "--validation", "0.5", "--splits", "train", "--seed", "3")
    again = tmp_path / "again"
    asked = ["--images", str(images), "--refs", f"refcoco={tmp_path / 'refcoco/refs(unc).p'}", "--validation", "0.5"]
    main(["refer", "--out", str(again), *asked, "--splits", "train", "--seed", "3"])
    assert manifest.read(out)["fingerprints"] == manifest.read(again)["fingerprints"]
    assert manifest.read(out)["counts"] == {"train": 2, "validation": 2}
    assert manifest.read(out)["shared_images"] == {"train-validation": 0}


class Hostile:
    """What a pickle of references must not hold: a call."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("call", ["system", "eval", "type"])
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, protocol, call):
    mark = tmp_path / "ran"
    value = {
        "system": Hostile(os.system, f"touch {mark}"),
        "eval": Hostile(eval, f"open({str(mark)!r}, 'w')"),
        "type": collections.OrderedDict(a=1),
    }[call]
    path = tmp_path / "refs(unc).p"
    path.write_bytes(pickle.dumps([*refer_files.references(), value], protocol=protocol))
    with pytest.raises(UserError, match=REFUSED):
        unpickle(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps(refer_files.references())[:-40],
        b"(S'echo'\nios\nsystem\n.",  # opcode INST
        b"\x80\x02P1\n.",  # a persistent id
        b"\x80\x02]\x81.",
        b"\x80\x05\x8a\xff",
    ],
)
def test_a_damaged_pickle_is_one_line(tmp_path, content):
    path = tmp_path / "refs(unc).p"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"refs\(unc\)\.p is (no whole pickle|refused)"):
        unpickle(path)


def test_references_of_another_form_are_told(tmp_path, images, capsys):
    file = refer_files.save_refer(tmp_path / "refcoco")
    words = ["refer", "--out", tmp_path / "out", "--images", images, "--refs"]
    assert "expected SET=FILE" in refusal(capsys, main, [*words, file])
    assert "no reference is of split 'dev'" in refusal(capsys, main, [*words, f"a={file}", "--splits", "dev"])
    file.write_bytes(pickle.dumps({"a": 1}))
    assert "holds dict, expected a list" in refusal(capsys, main, [*words, f"a={file}"])
    file.write_bytes(pickle.dumps([{"ref_id": 1}]))
    assert "reference 0: column 'ann_id' is missing" in refusal(capsys, main, [*words, f"a={file}"])
    (file.parent / "instances.json").write_text('{"images": []}')
    file.write_bytes(pickle.dumps(refer_files.references()))
    assert "is no file of COCO's instances" in refusal(capsys, main, [*words, f"a={file}"])
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path, images, capsys):
    file = refer_files.save_refer(tmp_path / "refcoco")
    stated = refer_files.instances()
    stated["annotations"][0]["bbox"] = [300, 300, 5, 5]
    stated["annotations"][2]["bbox"] = [1, 1, 0.5, 40]
    stated["images"][3]["width"] = 51
    (file.parent / "instances.json").write_text(json.dumps(stated))
    (images / refer_files.name_of(13)).unlink()
    out = tmp_path / "out"
    words = ["refer", "--out", out, "--images", images, "--refs", f"refcoco={file}"]
    told = refusal(capsys, main, words)
    assert "4 of 4 expressions of split 'train' cannot be used, the first is refcoco-1010: of its box" in told
    reasons = [entry["reason"] for entry in jsonl.read(tmp_path / "out.dropped.jsonl")]
    assert reasons[0] == "of its box [300, 300, 305, 305] less than a pixel lies in the 64 x 48 picture"
    assert "less than a pixel lies" in reasons[2]
    assert reasons[3].endswith("is missing")
    assert reasons[4].endswith("is 50 x 50 pixels, and its boxes are for 51 x 50")
    refer_files.save_refer(tmp_path / "refcoco")
    refer_files.save_pictures(images)
    stated = refer_files.instances()
    del stated["annotations"][4]
    (file.parent / "instances.json").write_text(json.dumps(stated))
    main([*map(str, words), "--max-dropped", "0.3"])
    assert manifest.read(out)["dropped"] == [
        {
            "split": "train",
            "id": "refcoco-1050",
            "reason": "annotation 105 of image 14 is not among the instances",
        }
    ]
    assert "left out 1; the reasons are in" in capsys.readouterr().out


def test_lmms_labs_parquet(tmp_path, capsys):
    file = refer_files.save_parquet(tmp_path / "val.parquet")
    out = tmp_path / "out"
    main(["parquet", "--out", str(out), "--parquet", f"refcoco/val={file}", f"refcoco/testA={file}"])
    rows = dataset.load(out, "val")
    assert [row.id for row in rows][:3] == ["refcoco-val-101-0", "refcoco-val-101-1", "refcoco-val-102-0"]
    assert boxes(out, "val")[2:5] == [[30.5, 10.25, 64, 40.25], [0, 0, 40, 60], [80, 5, 90, 25]]
    assert rows[0].images == rows[2].images, "one picture, known by its content"
    assert manifest.read(out)["images"] == {"val": 4, "testA": 4}
    assert Image.open(out / rows[0].images[0]).size == (64, 48)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "val.parquet"]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    words = ["parquet", "--out", tmp_path / "bad", "--parquet"]
    assert "cannot be read as parquet" in refusal(
        capsys, main, [*words, f"val={tmp_path / 'bad.parquet'}"], alone=False
    )
    assert "is missing; give a parquet file" in refusal(capsys, main, [*words, f"val={tmp_path / 'no.parquet'}"])
    assert "expected SPLIT=FILE or SET/SPLIT=FILE" in refusal(capsys, main, [*words, "val"])


def record(solution=None, **columns):
    question = "Please provide the bounding box coordinate of the region this sentence describes: the left dog."
    made = {"image": f"train2014/{refer_files.name_of(11)}", "problem": question, "normal_caption": "the left dog"}
    return {**made, **({} if solution is None else {"solution": solution}), **columns}


def vlm_r1(tmp_path, records, *more):
    path = tmp_path / "refcoco_train.json"
    path.write_text(json.dumps(records))
    main(["vlm-r1", "--out", str(tmp_path / "out"), "--images", str(tmp_path), "--records", f"train={path}", *more])
    return tmp_path / "out"


def test_vlm_r1s_records_state_edges_and_its_lists_inclusive_corners(tmp_path, images):
    """`solution` is `bbox_list` with 1 added to right and bottom (reference, 1.7); neither is shifted again."""
    question = {"from": "human", "value": "<image>Where is the dog?"}
    out = vlm_r1(
        tmp_path,
        [
            record([4.0, 8.0, 24, 38], bbox_list=[[4, 8, 23, 37]]),
            record(bbox_list=[[4, 8, 23, 37]]),
            {"image": [f"train2014/{refer_files.name_of(11)}"], "id": 7}
            | {"conversations": [question, {"from": "gpt", "value": "<answer> [4, 8, 24, 38] </answer>"}]},
        ],
    )
    assert boxes(out, "train") == [[4, 8, 24, 38]] * 3
    rows = dataset.load(out, "train")
    assert [row.meta["expression"] for row in rows] == ["the left dog", "the left dog", "Where is the dog?"]
    assert rows[2].id == "train-7"


def test_thousandths_become_pixels(tmp_path, images):
    out = vlm_r1(tmp_path, [record([62.5, 500, 1000, 1000])], "--coordinates", "thousandths")
    assert boxes(out, "train") == [[4, 24, 64, 48]]


@pytest.mark.parametrize(
    "spoilt, reason",
    [
        (record([4, 8, 24]), "is no box [x1, y1, x2, y2]"),
        (record([24, 8, 4, 38]), "is no box [x1, y1, x2, y2]"),
        (record("in the corner"), "its answer 'in the corner' is no box"),
        (record([4, 8, 24, 38], bbox_list=[[4, 8, 40, 37]]), "are different boxes"),
        (record(bbox_list=[[1, 2, 3, 4], [5, 6, 7, 8]]), "it has 2 boxes, and one is asked for"),
        (record(), "it has no box, neither 'solution' nor 'bbox_list'"),
        (record([4, 8, 24, 38], problem="<image>"), "it has no question"),
        (record([4, 8, 24, 38], image="../x.jpg"), "does not lie below the folder of pictures"),
        (record([4, 8, 24, 38], image=["a.jpg", "b.jpg"]), "one picture is needed"),
        (record([4, 8, 24, 38], image="gone.jpg"), "gone.jpg is missing"),
        (record([4, 8, 24, 38], width=65, height=48), "its boxes are for 65 x 48"),
    ],
)
def test_a_record_that_cannot_be_asked_is_told(tmp_path, images, capsys, spoilt, reason):
    told = refusal(capsys, lambda words: vlm_r1(tmp_path, [record([4, 8, 24, 38]), spoilt]), [])
    assert told.startswith("error: 1 of 2 expressions of split 'train' cannot be used")
    assert reason in told


@pytest.mark.skipif(not REAL.is_file(), reason=f"the real rows are not in {REAL}")
def test_the_real_rows_with_their_ten_absent_targets(tmp_path):
    records = [json.loads(line) for line in REAL.read_text().splitlines()]
    (tmp_path / "val2017").mkdir()
    for made in records:
        Image.new("RGB", (made["width"], made["height"])).save(tmp_path / made["image"])
    main(["vlm-r1", "--out", str(tmp_path / "out"), "--images", str(tmp_path), "--records", f"refcocos/test={REAL}"])
    rows = dataset.load(tmp_path / "out", "test")
    written = manifest.read(tmp_path / "out")
    assert (len(rows), written["no_targets"], written["clipped"]) == (80, {"test": 10}, {"test": 0})
    assert all(row.meta[OFFERS_NONE] for row in rows)
    assert [row.solution == NO_TARGET for row in rows] == [made["solution"] is None for made in records]
    assert {row.meta["hops"] for row in rows} == {"2", "3", "4"}
    assert rows[1].meta["kind"] == "verb"
    for row, made in zip(rows, records, strict=True):
        if made["solution"] is not None:
            size = (made["width"], made["height"])
            assert json.loads(row.solution) == pytest.approx(made["solution"], abs=1e-4)
            thousandths = View(frame="thousandths", sizes=(size,), shown=(size,)).to_frame(json.loads(row.solution))
            assert thousandths == pytest.approx(made["normalized_solution"], abs=1.01)
