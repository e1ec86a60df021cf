#!/usr/bin/env bash
# Fold a LoRA adapter of Qwen2.5-VL-3B into its base; by default the adapter trained by scripts/run_grpo_lora.sh.
#   bash scripts/merge_lora.sh [--adapter DIR --out DIR] [--base NAME] [--dtype NAME] [--dry-run] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
VLM_GRPO_ACCELERATE="" launch vlm_grpo.merge "$VLM_GRPO_ROOT/configs/vsr/qwen_merge.yaml" "$@"
