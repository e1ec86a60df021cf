#!/usr/bin/env bash
# GRPO with rollouts from a vLLM server: the first three GPUs train, the fourth serves (needs the trl[vllm] extra).
#   bash scripts/run_grpo_vllm_server.sh [--any_setting value ...] [--dry-run]
# Arguments go to scripts/run_grpo_lora.sh with configs/vsr/qwen_vllm_server_grpo.yaml, or the config that VLM_GRPO_CONFIG
# names, whose model is served. VLM_GRPO_ACCELERATE names another way to share the training than multi_gpu.yaml. The
# server ends with the training; its log is logs/vllm_server.log. vLLM 0.30 or 0.31: older ones have no
# --enable-scale-out, newer ones report log-probabilities in a way that TRL 1.16 cannot read.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$VLM_GRPO_ROOT"
config=${VLM_GRPO_CONFIG:-configs/vsr/qwen_vllm_server_grpo.yaml}
model=$(python -c "import sys, pathlib; from vlm_grpo.yaml_layers import read_layers
print(read_layers(pathlib.Path(sys.argv[1])).values['model'])" "$config")

dry_run=false
for argument in "$@"; do
    [[ $argument == --dry-run ]] && dry_run=true
done
if ! $dry_run; then
    command -v vllm >/dev/null || { echo "error: vllm is not installed; install the trl[vllm] extra" >&2 && exit 2; }
    CUDA_VISIBLE_DEVICES=3 VLLM_SERVER_DEV_MODE=1 vllm serve "$model" --port 8000 --max-model-len 4096 \
        --weight-transfer-config '{"backend": "nccl"}' --logprobs-mode processed_logprobs --max-logprobs -1 \
        --enable-scale-out >logs/vllm_server.log 2>&1 &
    trap 'kill '"$!"' 2>/dev/null || true' EXIT
    export CUDA_VISIBLE_DEVICES=0,1,2
    export VLM_GRPO_ACCELERATE=${VLM_GRPO_ACCELERATE:-configs/accelerate/multi_gpu.yaml}
    export VLM_GRPO_LAUNCH_OPTIONS="--num_processes 3"
fi
bash scripts/run_grpo_lora.sh --config "$config" "$@"
