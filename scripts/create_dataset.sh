#!/usr/bin/env bash
# Build the study's VSR data set in $DATA_PATH/vsr (about half a gigabyte of pictures); the same command goes on where
# it was stopped. It fails when more than one row in a hundred has no picture.
#   bash scripts/create_dataset.sh [--out DIR] [--jsonl FOLDER] [--revision COMMIT] [--dry-run] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
exec python -m vlm_grpo.datasets.vsr --out "$DATA_PATH/vsr" --max-dropped 0.01 "$@"
