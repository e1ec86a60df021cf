#!/usr/bin/env bash
# SFT with LoRA of Qwen2.5-VL-3B on Rel3D, to be asked about real pictures.
#   bash scripts/run_sft_sim2real.sh [--config FILE.yaml] [--any_setting value ...] [--dry-run]
export VLM_GRPO_CONFIG=${VLM_GRPO_CONFIG:-$(dirname "${BASH_SOURCE[0]}")/../configs/rel3d/qwen_sft.yaml}
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" sft "$@"
