#!/usr/bin/env bash
# Evaluate Qwen2.5-VL-3B's runs on a vision-biased VSR, on the test split: clean, cued rightly, cued wrongly.
#   bash scripts/evaluate_vision_biased.sh LEVEL [--method grpo|sft|base] [--split SPLIT] [...]
source "$(dirname "${BASH_SOURCE[0]}")/bias.sh" vision evaluate "$@"
