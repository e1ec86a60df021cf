#!/usr/bin/env bash
# GRPO with LoRA of SmolVLM on a text-biased VSR.
#   bash scripts/SmolVLM/run_grpo_lora_text_biased.sh LEVEL [--budget samples|steps]
#       [--any_setting value ...] [--dry-run] [--help]
# LEVEL is a strength from 0 to 1 or a level of the study (acc_0.69): what $DATA_PATH/vsr_text_LEVEL was built with, by
# python -m vlm_grpo.bias.text --level LEVEL.
# --budget samples (default): SFT is shown each row as often as GRPO is; steps: it takes as many optimiser steps.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
source "$VLM_GRPO_ROOT/scripts/bias.sh"
train_biased grpo text smolvlm "$@"
