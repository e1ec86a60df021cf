#!/usr/bin/env bash
# Evaluate Qwen2.5-VL-3B's runs on a vision-biased VSR, on test: clean, cued rightly, cued wrongly.
#   bash scripts/evaluate_vision_biased.sh LEVEL [--method grpo|sft|base] [--split SPLIT]
#       [--any_setting value ...] [--dry-run] [--help]
# LEVEL is published, or CUE_PROBABILITY (patch_0.9): what $DATA_PATH/vsr_vision_LEVEL was built with, by
# python -m vlm_grpo.bias.vision.
# Without --method the finished runs of both methods are evaluated; each result lies in its run's folder, by split.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
source "$VLM_GRPO_ROOT/scripts/bias.sh"
evaluate_biased vision qwen "$@"
