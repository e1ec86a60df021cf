#!/usr/bin/env bash
# GRPO with LoRA of Qwen2.5-VL-3B on VSR.
#   bash scripts/run_grpo_lora.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
launch vlm_grpo.training.grpo "$VLM_GRPO_ROOT/configs/vsr/qwen_grpo.yaml" "$@"
