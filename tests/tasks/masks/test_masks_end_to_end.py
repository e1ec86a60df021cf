"""From COCO's files to drawings with a real model: it learns an outline by heart in its frame, scored in pixels."""

import json

import pytest

from coco_data import annotation, write_coco
from vlm_grpo.evaluation import outcomes
from vlm_grpo.evaluation.__main__ import main as evaluate
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.detection.command import main as build_detection
from vlm_grpo.tasks.masks import draw_polygons
from vlm_grpo.tasks.masks.command import main as build_masks

OBJECTS = [annotation(1, 1, 1, [56, 56, 112, 112])]
"""In a picture of 224 x 224, which the model is shown at 112 x 112."""
SAID = {"masks": "84", "detection": '[{"bbox_2d": [28, 28, 84, 84], "label": "person"}]'}
"""What stands in the answer, by task, in the model's frame."""


@pytest.mark.parametrize("task", SAID)
def test_answers_are_learnt_said_scored_and_drawn(task, tiny_qwen, tmp_path, capsys):
    coco = write_coco(tmp_path / "coco", OBJECTS, images=1, split="train", size=(224, 224))
    data, run, test = tmp_path / "data", tmp_path / "run", tmp_path / "test"
    words = ["--output_dir", str(data), "--coco", str(coco), "--split", "train", "--skip-download"]
    if task == "masks":
        build_masks([*words, "--codec", "polygon"])
    else:
        build_detection(words)
    shown = ["--min_pixels", "12544", "--max_pixels", "12544"]
    common = ["--model", str(tiny_qwen), "--data", str(data), "--split", "train", "--prompt", "reason", *shown]
    learning = ["--learning_rate", "1e-2", "--lr_scheduler_type", "constant", "--lora_dropout", "0"]
    quiet = ["--gradient_checkpointing", "false", "--report_to", "none", "--save_strategy", "no"]
    batch = ["--per_device_train_batch_size", "1", "--max_steps", "40"]
    sft.main([*common, "--target", "tagged", "--output_dir", str(run), *learning, *quiet, *batch])
    evaluate([*common, "--adapter", str(run / "final"), "--out", str(test), "--max_new_tokens", "96"])
    (record,) = jsonl.read(test / "generations.jsonl")
    assert SAID[task] in record["text"]
    assert "168" not in record["text"]
    (judged,) = outcomes.read(test).values()
    assert judged.credit > 0.95
    assert "168" in json.dumps(judged.said)
    scores = json.loads((test / "scores.json").read_text())
    if task == "masks":
        assert scores["ciou"] == judged.credit
        draw_polygons.main(
            [
                str(data / "train.jsonl"),
                "--image-root",
                str(data),
                "--output",
                str(tmp_path / "vis"),
                "--generations",
                str(test / "generations.jsonl"),
            ]
        )
        assert (tmp_path / "vis" / "1.jpg").is_file()
        assert "cIoU" in capsys.readouterr().out
    else:
        assert scores["AP50"] == pytest.approx(1.0)
        assert "VLM-R1" in capsys.readouterr().out
