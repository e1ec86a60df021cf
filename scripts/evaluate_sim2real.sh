#!/usr/bin/env bash
# Let Qwen2.5-VL-3B, or what was trained of it, answer Rel3D's test split, or another data set, and score it.
#   bash scripts/evaluate_sim2real.sh [--data DIR] [--model MERGED | --adapter DIR] [--out DIR] [--dry-run]
export VLM_GRPO_CONFIG=${VLM_GRPO_CONFIG:-$(dirname "${BASH_SOURCE[0]}")/../configs/rel3d/qwen_evaluate.yaml}
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" evaluate "$@"
