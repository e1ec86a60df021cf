#!/usr/bin/env bash
# Fold a LoRA adapter of SmolVLM into its base; by default the adapter trained by scripts/SmolVLM/run_grpo_lora.sh.
#   bash scripts/SmolVLM/merge_lora.sh [--adapter DIR --out DIR] [--base NAME] [--dtype NAME] [--dry-run] [--help]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"
VLM_GRPO_ACCELERATE="" launch vlm_grpo.merge "$VLM_GRPO_ROOT/configs/vsr/smolvlm_merge.yaml" "$@"
