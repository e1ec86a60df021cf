#!/usr/bin/env bash
# GRPO with LoRA of Qwen2.5-VL-3B on COCO's instance masks, with the settings of VLM-R1's fork.
#   bash scripts/run_grpo_seg.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run]
export VLM_GRPO_CONFIG=${VLM_GRPO_CONFIG:-$(dirname "${BASH_SOURCE[0]}")/../configs/masks/qwen_grpo.yaml}
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" grpo "$@"
