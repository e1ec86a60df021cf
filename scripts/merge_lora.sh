#!/usr/bin/env bash
# Fold a LoRA adapter of Qwen2.5-VL-3B into its base; by default the adapter trained by scripts/run_grpo_lora.sh.
#   bash scripts/merge_lora.sh [--adapter DIR --out DIR] [--base NAME] [--dtype NAME] [--dry-run] [--help]
source "$(dirname "${BASH_SOURCE[0]}")/run.sh" merge "$@"
