# Sourced by every batch script: go to the checkout, take the environment, run the script as an attempt.
#
#   attempt SCRIPT [ARGUMENT ...]                  on the job's node
#   attempt_on_every_node SCRIPT [ARGUMENT ...]    on all nodes of the job, one launcher each
#
# Both end this shell: the process that Slurm signals becomes the one that watches over the attempt (attempt.sh).
# Logs are in logs/: slurm-NAME-JOB.out holds all attempts of a job, NAME-JOB/attempt-N.log each by itself.

cd "${SLURM_SUBMIT_DIR:-.}" || exit
if [[ ! -f scripts/env.sh ]]; then
    echo "error: submit from the top of the vlm-grpo checkout; $PWD has no scripts/env.sh" >&2
    exit 2
fi
source scripts/env.sh

attempt() { run_attempt "" "$@"; }

attempt_on_every_node() {
    # srun takes the number of CPUs from here; sbatch's own is not passed on.
    export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
    export NCCL_DEBUG=${NCCL_DEBUG:-WARN}
    # Once a node has ended, the others have two minutes to follow: nobody waits for one that failed.
    run_attempt "srun --wait=120 bash slurm/node.sh" "$@"
}

run_attempt() {
    local starter script=$2 folder name=${SLURM_JOB_NAME:-$(basename "$2" .sh)}
    read -ra starter <<<"$1"
    shift 2
    case " $* " in
        *" --dry-run "* | *" --help "*) exec bash "$script" "$@" ;;
    esac
    folder=$(bash "$script" --where "$@") || exit
    make_embedded_data
    exec bash slurm/attempt.sh "logs/$name-${SLURM_JOB_ID:-$$}/attempt-{attempt}.log" "$folder" \
        "${starter[@]:-bash}" "$script" "$@"
}

# The embedded configs' data set takes seconds to make: a job finds it, or makes it.
make_embedded_data() {
    local folder=$DATA_PATH/synthetic_vsr
    if [[ ${VLM_GRPO_CONFIG:-} == *configs/embedded/* && ! -f $folder/manifest.json ]]; then
        mkdir -p "$DATA_PATH"
        flock "$folder.lock" python -m vlm_grpo.embedded.synthetic_vsr --out "$folder" --seed 0
    fi
}
