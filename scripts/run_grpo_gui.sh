#!/usr/bin/env bash
# GRPO with LoRA of Qwen2.5-VL-3B on pairs of screenshots, with VLM-R1's settings for one GPU.
#   bash scripts/run_grpo_gui.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run]
export VLM_GRPO_CONFIG=${VLM_GRPO_CONFIG:-$(dirname "${BASH_SOURCE[0]}")/../configs/gui/qwen_grpo.yaml}
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" grpo "$@"
