#!/usr/bin/env bash
# Evaluate Qwen2.5-VL-3B's runs on a text-biased VSR, on the test split.
#   bash scripts/evaluate_text_biased.sh LEVEL [--method grpo|sft|base] [--split SPLIT] [...]
source "$(dirname "${BASH_SOURCE[0]}")/bias.sh" text evaluate "$@"
