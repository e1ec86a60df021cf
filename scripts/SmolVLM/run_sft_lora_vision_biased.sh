#!/usr/bin/env bash
# SFT with LoRA of SmolVLM on a vision-biased VSR.
#   bash scripts/SmolVLM/run_sft_lora_vision_biased.sh LEVEL [--budget samples|steps] [--setting value ...]
export VLM_GRPO_FAMILY=smolvlm
source "$(dirname "${BASH_SOURCE[0]}")/../run_sft_lora_vision_biased.sh"
