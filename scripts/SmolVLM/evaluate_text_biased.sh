#!/usr/bin/env bash
# Evaluate SmolVLM's runs on a text-biased VSR, on the test split.
#   bash scripts/SmolVLM/evaluate_text_biased.sh LEVEL [--method grpo|sft|base] [--split SPLIT] [...]
export VLM_GRPO_FAMILY=smolvlm
source "$(dirname "${BASH_SOURCE[0]}")/../evaluate_text_biased.sh"
