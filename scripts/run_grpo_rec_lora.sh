#!/usr/bin/env bash
# GRPO with LoRA of Qwen2.5-VL-3B on referring expressions on one GPU: as many prompts a step as run_grpo_rec.sh on eight.
#   bash scripts/run_grpo_rec_lora.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run]
export VLM_GRPO_CONFIG=${VLM_GRPO_CONFIG:-$(dirname "${BASH_SOURCE[0]}")/../configs/rec/qwen_one_gpu_grpo.yaml}
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" grpo "$@"
