#!/usr/bin/env bash
# SFT with LoRA of SmolVLM on a vision-biased VSR.
#   bash scripts/SmolVLM/run_sft_lora_vision_biased.sh LEVEL [--budget samples|steps]
#       [--any_setting value ...] [--dry-run] [--help]
# LEVEL is published, or CUE_PROBABILITY (patch_0.9): what $DATA_PATH/vsr_vision_LEVEL was built with, by
# python -m vlm_grpo.bias.vision.
# --budget samples (default): SFT is shown each row as often as GRPO is; steps: it takes as many optimiser steps.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
source "$VLM_GRPO_ROOT/scripts/bias.sh"
train_biased sft vision smolvlm "$@"
