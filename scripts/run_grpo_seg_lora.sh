#!/usr/bin/env bash
# The same with the larger batch of the fork's LoRA script.
#   bash scripts/run_grpo_seg_lora.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run]
export VLM_GRPO_CONFIG=${VLM_GRPO_CONFIG:-$(dirname "${BASH_SOURCE[0]}")/../configs/masks/qwen_lora_grpo.yaml}
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" grpo "$@"
