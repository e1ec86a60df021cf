"""R1-V's saved answers on its 200 counting problems: `{"results": [{question, ground_truth, model_output}, ...]}`."""

from pathlib import Path

from vlm_grpo import text_files
from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.store import strict_json
from vlm_grpo.tasks.counting.task import NAME


def is_r1v(path: Path) -> bool:
    """Whether `path` is such a file, by its name: JSON, not JSONL."""
    return path.suffix == ".json"


def read(path: Path) -> list[tuple[Row, str]]:
    """Each problem as a row without its picture, with the completion; `UserError` naming the file where it is none."""
    try:
        results = strict_json.parse(text_files.read_text(path))["results"]
        return [
            (
                Row(
                    id=str(number),
                    images=(),
                    problem=result["question"]["question"],
                    solution=str(result["ground_truth"]),
                    task=NAME,
                ),
                str(result["model_output"]),
            )
            for number, result in enumerate(results)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not R1-V's results ({type(error).__name__}: {error}); give JSONL or its file"
        ) from None
