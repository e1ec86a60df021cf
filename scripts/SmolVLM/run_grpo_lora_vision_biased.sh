#!/usr/bin/env bash
# GRPO with LoRA of SmolVLM on a vision-biased VSR.
#   bash scripts/SmolVLM/run_grpo_lora_vision_biased.sh LEVEL [--budget samples|steps] [--setting value ...]
export VLM_GRPO_FAMILY=smolvlm
source "$(dirname "${BASH_SOURCE[0]}")/../run_grpo_lora_vision_biased.sh"
