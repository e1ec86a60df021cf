#!/usr/bin/env bash
# Evaluate SmolVLM's runs on a vision-biased VSR, on the test split: clean, cued rightly, cued wrongly.
#   bash scripts/SmolVLM/evaluate_vision_biased.sh LEVEL [--method grpo|sft|base] [--split SPLIT] [...]
export VLM_GRPO_FAMILY=smolvlm
source "$(dirname "${BASH_SOURCE[0]}")/../evaluate_vision_biased.sh"
