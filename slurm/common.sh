# Sourced by every batch script as its last line: go to the checkout, take the environment, run a script as an attempt.
#
#   source common.sh SCRIPT [ARGUMENT ...]                    on the job's node
#   source common.sh --on-every-node SCRIPT [ARGUMENT ...]    on all nodes of the job, one launcher each
#
# VLM_GRPO_SCRIPT names another script than SCRIPT; an empty SCRIPT asks for it. This shell, which Slurm signals,
# becomes the one that watches over the attempt (attempt.sh).
# Logs are in logs/: slurm-NAME-JOB.out holds all attempts of a job, NAME-JOB/attempt-N.log each by itself.
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:-.}" || exit
if [[ ! -f scripts/env.sh ]]; then
    echo "error: submit from the top of the vlm-grpo checkout; $PWD has no scripts/env.sh" >&2
    exit 2
fi
source scripts/env.sh

starter=(bash)
if [[ $1 == --on-every-node ]]; then
    shift
    # Once a node has ended, the others have two minutes to follow: nobody waits for one that failed.
    starter=(srun --wait=120 bash slurm/node.sh)
    # srun takes the number of CPUs from here; sbatch's own is not passed on.
    export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
    export NCCL_DEBUG=${NCCL_DEBUG:-WARN} VLM_GRPO_ACCELERATE=${VLM_GRPO_ACCELERATE:-configs/accelerate/zero2.yaml}
fi
script=${VLM_GRPO_SCRIPT:-$1}
shift
if [[ -z $script ]]; then
    echo "error: name the script: VLM_GRPO_SCRIPT=scripts/my_method.sh sbatch slurm/train.sbatch" >&2
    exit 2
fi
for argument in "$@"; do
    case $argument in --dry-run | --help) exec bash "$script" "$@" ;; esac
done
folder=$(bash "$script" --where "$@") || exit
# The embedded configs' data set takes seconds to make: a job finds it, or makes it.
data=$DATA_PATH/synthetic_vsr
if [[ ${VLM_GRPO_CONFIG:-} == *configs/embedded/* && ! -f $data/manifest.json ]]; then
    mkdir -p "$DATA_PATH"
    flock "$data.lock" python -m vlm_grpo.embedded.synthetic_vsr --out "$data" --seed 0
fi
log="logs/${SLURM_JOB_NAME:-$(basename "$script" .sh)}-${SLURM_JOB_ID:-$$}/attempt-{attempt}.log"
exec bash slurm/attempt.sh "$log" "$folder" "${starter[@]}" "$script" "$@"
