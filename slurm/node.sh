#!/usr/bin/env bash
# Started by srun once on each node of a job: run SCRIPT as this node's launcher, with a process for each of its GPUs.
#   srun bash slurm/node.sh SCRIPT [ARGUMENT ...]
# srun gives signals to every process of the step, so each step here becomes the next one (exec) until the launcher,
# which waits for its processes to save, and whose exit code srun returns.
set -euo pipefail

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(scontrol show node "$first" | grep --only-matching 'NodeAddr=[^ ]*' | cut -d= -f2)
options=(
    --num_machines "$SLURM_JOB_NUM_NODES" --machine_rank "$SLURM_NODEID"
    --num_processes "$((SLURM_JOB_NUM_NODES * ${SLURM_GPUS_ON_NODE:-1}))"
    --main_process_ip "$address" --main_process_port "$((20000 + SLURM_JOB_ID % 20000))"
    --rdzv_backend static --deepspeed_multinode_launcher standard
)
export VLM_GRPO_LAUNCH_OPTIONS="${options[*]} ${VLM_GRPO_LAUNCH_OPTIONS:-}"
echo "node $SLURM_NODEID of $SLURM_JOB_NUM_NODES on $(hostname): ${SLURM_GPUS_ON_NODE:-1} process(es), meeting at $address"
exec bash "$@"
