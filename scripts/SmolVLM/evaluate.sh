#!/usr/bin/env bash
# Let SmolVLM answer VSR's validation split, and score it; the same command goes on where it was stopped.
#   bash scripts/SmolVLM/evaluate.sh [--config FILE.yaml] [--model MERGED] [--adapter DIR] [--out DIR] [--dry-run] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"
VLM_GRPO_ACCELERATE="" launch vlm_grpo.evaluation "$VLM_GRPO_ROOT/configs/vsr/smolvlm_evaluate.yaml" "$@"
