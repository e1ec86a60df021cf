"""GRPO on own records with the flags of VLM-R1's README: `torchrun --nproc_per_node 8 scripts/grpo_jsonl.py FLAGS`.

    --model_name_or_path Qwen/Qwen2.5-VL-3B-Instruct --output_dir OUT
    --data_file_paths a.jsonl:b.jsonl --image_folders x:y --deepspeed configs/deepspeed/zero3.json

The settings are those of configs/jsonl/vlm_r1.yaml unless --config names others; --help lists them, and old flags are
read as `vlm_grpo.methods.old_flags` says. Type `source scripts/env.sh` first.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:] = [str(ROOT / "src"), *(entry for entry in sys.path if Path(entry).resolve() != ROOT / "scripts")]

from vlm_grpo.start import start  # noqa: E402

if __name__ == "__main__":
    if not any(word.split("=")[0] == "--config" for word in sys.argv):
        sys.argv[1:1] = ["--config", str(ROOT / "configs" / "jsonl" / "vlm_r1.yaml")]
    start("vlm_grpo.methods.grpo.command")
