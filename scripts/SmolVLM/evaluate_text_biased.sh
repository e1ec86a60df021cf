#!/usr/bin/env bash
# Evaluate SmolVLM's runs on a text-biased VSR, on the test split.
#   bash scripts/SmolVLM/evaluate_text_biased.sh LEVEL [--method grpo|sft|base] [--split SPLIT]
#       [--any_setting value ...] [--dry-run] [--help]
# LEVEL is a strength from 0 to 1 or a level of the study (acc_0.69): what $DATA_PATH/vsr_text_LEVEL was built with, by
# python -m vlm_grpo.bias.text --level LEVEL.
# Without --method the finished runs of both methods are evaluated; each result lies in its run's folder, by split.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
source "$VLM_GRPO_ROOT/scripts/bias.sh"
evaluate_biased text smolvlm "$@"
