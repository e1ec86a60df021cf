#!/usr/bin/env bash
# Build DrivingVQA in $DATA_PATH/driving, parted as the study does: `sft` (1,000 rows with explanations), `grpo`, `test`.
#   bash scripts/prepare_sft.sh [--folder FILES] [--boxes bbox|original] [--out DIR] [--help]
#   bash scripts/prepare_sft.sh --task aokvqa --folder FILES --images COCO [--grounded train=FILE] [--out DIR]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
task=driving arguments=()
while (($#)); do
    case $1 in
        --task) task=${2:-} && shift ;;
        --task=*) task=${1#*=} ;;
        *) arguments+=("$1") ;;
    esac
    shift $(($# > 0))
done
case $task in
    driving) arguments=(--as-the-study "${arguments[@]}") ;;
    aokvqa) ;;
    *) echo "error: --task '$task': known: driving, aokvqa" >&2 && exit 2 ;;
esac
exec python -m "vlm_grpo.tasks.$task" --out "$DATA_PATH/$task" --only-explained "${arguments[@]}"
