# Sourced by every batch script: go to the checkout, say where the job runs.

cd "${SLURM_SUBMIT_DIR:-.}" || exit
if [[ ! -f scripts/env.sh ]]; then
    echo "error: submit from the top of the vlm-grpo checkout; $PWD has no scripts/env.sh" >&2
    exit 2
fi
echo "job ${SLURM_JOB_ID:-none} on $(hostname), started $(date -u +%Y-%m-%dT%H:%M:%SZ), attempt $((${SLURM_RESTART_COUNT:-0} + 1))"
