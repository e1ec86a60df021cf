"""Miniatures of DrivingVQA's and A-OKVQA's own files, true to their schemas, with a picture for each item."""

import json
from pathlib import Path

from PIL import Image


def picture(path: Path, size=(200, 100)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "grey").save(path)


def item(number: int, **changes):
    """One item of train.json; its van is an entity twice."""
    return {
        "questions": "What may I do?",
        "possible_answers": {"A": "Turn left", "B": "Stop", "C": "Wait", "D": "Overtake"},
        "true_answers": ["C", "B"],
        "has_multiple_questions": False,
        "explanation": "The white van and the sign stop me.",
        "interleaved_explanation": (
            "The **white van** [10.0, 20.0, 40.5, 30.0] and the sign [150.0, 5.0, 20.0, 20.0] stop me; another "
            "**white van** [100.0, 50.0, 30.0, 30.0] waits."
        ),
        "relevant_entities": [
            {"white van": [[10.0, 20.0, 40.5, 30.0], [100.0, 50.0, 30.0, 30.0]]},
            {"sign": [150.0, 5.0, 20.0, 20.0]},
        ],
        "img_filename": f"images/{number}.jpg",
        "img_size": [200, 100],
        "exam_type": "car",
        "adversarial_condition": None,
        **changes,
    }


def two_questions(number: int):
    """An item of an exam with two questions about one picture."""
    return item(
        number,
        questions=["Is the street wet?", "What do I do?"],
        possible_answers={"A": "Yes", "B": "No", "C": "Brake", "D": "Go on"},
        true_answers=["A", "C"],
        has_multiple_questions=True,
    )


def driving_folder(root: Path, train=None, test=None) -> Path:
    """`train.json`, `test.json` and their pictures in `root`."""
    train = train if train is not None else {"0": item(0), "7": item(7), "12": two_questions(12), "13": item(13)}
    test = test if test is not None else {"4000": item(4000), "4001": two_questions(4001)}
    for name, items in (("train", train), ("test", test)):
        for record in items.values():
            picture(root / record["img_filename"], tuple(record["img_size"] or (200, 100)))
        (root / f"{name}.json").write_text(json.dumps(items))
    return root


def aokvqa_question(image: int, **changes):
    """One question of aokvqa_v1p0_*.json."""
    return {
        "split": "val",
        "image_id": image,
        "question_id": f"q{image}",
        "question": "What is in the van?",
        "choices": ["bread", "fish", "letters", "dogs"],
        "correct_choice_idx": 2,
        "direct_answers": ["letters"] * 8 + ["mail", "post"],
        "difficult_direct_answer": False,
        "rationales": ["The van has a horn on its side.", "It is yellow.", "Mail."],
        **changes,
    }


def aokvqa_folder(root: Path) -> Path:
    """Two questions a split, the pictures of COCO 2017 and a file of explanations with boxes for one of train."""
    for split, years in (("train", "train2017"), ("val", "val2017")):
        questions = [aokvqa_question(9), aokvqa_question(25, correct_choice_idx=0)]
        root.mkdir(parents=True, exist_ok=True)
        (root / f"aokvqa_v1p0_{split}.json").write_text(json.dumps(questions))
        for question in questions:
            picture(root / "coco" / years / f"{question['image_id']:012}.jpg")
    grounded = item(0, questions="What is in the van?", img_filename="000000000025.jpg", true_answers=["A"])
    (root / "grounded.json").write_text(json.dumps({"0": grounded}))
    return root
