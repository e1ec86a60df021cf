#!/usr/bin/env bash
# SFT with LoRA of Qwen2.5-VL-3B on a text-biased VSR.
#   bash scripts/run_sft_lora_text_biased.sh LEVEL [--budget samples|steps] [--setting value ...]
source "$(dirname "${BASH_SOURCE[0]}")/bias.sh" text sft "$@"
