#!/usr/bin/env bash
# GRPO with LoRA of Qwen2.5-VL-3B on VSR.
#   bash scripts/run_grpo_lora.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run] [--help]
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" grpo "$@"
