#!/usr/bin/env bash
# Let Qwen2.5-VL-3B answer VSR's validation split, and score it; the same command goes on where it was stopped.
#   bash scripts/evaluate.sh [--config FILE.yaml] [--model MERGED | --adapter DIR] [--out DIR] [--dry-run]
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" evaluate "$@"
