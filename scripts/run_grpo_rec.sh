#!/usr/bin/env bash
# GRPO with LoRA of Qwen2.5-VL-3B on referring expressions, with VLM-R1's settings; several GPUs: VLM_GRPO_ACCELERATE.
#   bash scripts/run_grpo_rec.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run]
export VLM_GRPO_CONFIG=${VLM_GRPO_CONFIG:-$(dirname "${BASH_SOURCE[0]}")/../configs/rec/qwen_grpo.yaml}
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" grpo "$@"
