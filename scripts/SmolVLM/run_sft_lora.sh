#!/usr/bin/env bash
# SFT with LoRA of SmolVLM on VSR.
#   bash scripts/SmolVLM/run_sft_lora.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run] [--help]
export VLM_GRPO_FAMILY=smolvlm
source "$(dirname "${BASH_SOURCE[0]}")/../run_sft_lora.sh"
