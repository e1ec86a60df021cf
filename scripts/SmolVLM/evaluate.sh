#!/usr/bin/env bash
# Let SmolVLM answer VSR's validation split, and score it; the same command goes on where it was stopped.
#   bash scripts/SmolVLM/evaluate.sh [--config FILE.yaml] [--model MERGED | --adapter DIR] [--out DIR] [--dry-run]
export VLM_GRPO_FAMILY=smolvlm
source "$(dirname "${BASH_SOURCE[0]}")/../evaluate.sh"
