#!/usr/bin/env bash
# SFT with LoRA of Qwen2.5-VL-3B on VSR.
#   bash scripts/run_sft_lora.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run] [--help]
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" sft "$@"
