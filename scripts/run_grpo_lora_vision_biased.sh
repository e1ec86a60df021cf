#!/usr/bin/env bash
# GRPO with LoRA of Qwen2.5-VL-3B on a vision-biased VSR.
#   bash scripts/run_grpo_lora_vision_biased.sh LEVEL [--budget samples|steps] [--setting value ...]
source "$(dirname "${BASH_SOURCE[0]}")/bias.sh" vision grpo "$@"
