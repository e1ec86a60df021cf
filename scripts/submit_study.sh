#!/usr/bin/env bash
# Run a whole study as Slurm jobs: submits each when what it needs is there, and stays until all have ended (start it on
# a login node in tmux). Stopped or cut off, the same command goes on: it does only what is missing.
#   bash scripts/submit_study.sh configs/study/NAME.yaml [SNAKEMAKE_ARGUMENT ...]
#   bash scripts/submit_study.sh configs/study/NAME.yaml --dry-run    the jobs, what they ask for, and the GPU hours
# Account, QoS and partition are SBATCH_ACCOUNT, SBATCH_QOS and SBATCH_PARTITION of .env or the environment; GPUs, CPUs,
# memory, limits and expected hours are in the study's config under `cluster`.
set -euo pipefail
if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit
fi

fail() {
    echo "error: $*" >&2
    exit 2
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
study=${1:-}
[[ -n $study && $study != -* ]] || fail "name a study first: bash scripts/submit_study.sh configs/study/vsr.yaml; see --help"
[[ -f $study ]] || fail "$study: no such study; there are: $(echo configs/study/*.yaml)"
shift
source scripts/env.sh
arguments=(--snakefile workflow/Snakefile --configfile "$study" --profile workflow/profiles/slurm)

# From Snakemake's own list of jobs, one "Job N: WHAT [ASKS]" each, a table with the sum of GPU hours.
list_jobs() {
    awk -v study="$study" '
        /^Job [0-9]+: .*min expected\]/ {
            sub(/^Job [0-9]+: /, ""); what = $0; sub(/ \[.*/, "", what)
            sub(/.*\[/, ""); split($0, asks, / GPU, | CPU, | MB, | min, | min expected/)
            if (!jobs++) printf "%-48s %5s %5s %9s %9s %11s\n", "job", "GPUs", "CPUs", "memory", "limit", "expected"
            printf "%-48s %5d %5d %6.0f GB %7.1f h %9.1f h\n", what, asks[1], asks[2], asks[3] / 1024, asks[4] / 60, asks[5] / 60
            hours += asks[1] * asks[5] / 60
        }
        END {
            if (!jobs) { print "nothing to submit, or " study " does not say under cluster what its jobs ask for" }
            else printf "\n%d jobs, about %.0f GPU hours, by the guesses of %s\n", jobs, hours, study
        }'
}

if [[ " $* " == *" --dry-run "* || " $* " == *" -n "* ]]; then
    if ! listing=$(python -m snakemake "${arguments[@]}" "$@" 2>&1); then
        grep '^error: ' <<<"$listing" >&2 && exit 2 # the study's own mistake, told in one line
        sed -n 's/^[^:]*: error: //p' <<<"$listing" | grep . >&2 || echo "$listing" >&2
        fail "Snakemake cannot list the jobs of $study: see above"
    fi
    list_jobs <<<"$listing"
    exit
fi
type -P sbatch >/dev/null ||
    fail "no sbatch here: submit from a machine of the cluster; --dry-run works anywhere, and scripts/quickstart.sh" \
        "shows how to run a study on one machine"
sinfo &>/dev/null || fail "this machine's Slurm does not answer (sinfo fails): submit from a login node of the cluster"
# Snakemake hands its jobs to sbatch within double quotes.
for place in "$PWD" "$DATA_PATH" "$OUT_PATH"; do
    if [[ $place == *[\$\`\"\\]* ]]; then
        fail "$place: a study's Slurm jobs cannot be told of a path with \$, \`, \" or a backslash; choose another place"
    fi
done
# Without accounting, squeue tells a job's state.
if ! sacct --noheader --allocations --starttime now &>/dev/null; then
    arguments+=(--slurm-status-command squeue)
fi
resources=(slurm_extra="'--signal=USR1@300 --open-mode=append'")
[[ -z ${SBATCH_ACCOUNT:-} ]] || resources+=(slurm_account="$SBATCH_ACCOUNT")
[[ -z ${SBATCH_PARTITION:-} ]] || resources+=(slurm_partition="$SBATCH_PARTITION")
[[ -z ${SBATCH_QOS:-} ]] || arguments+=(--slurm-qos "$SBATCH_QOS")
# What the account asks for is what the study says, not what single jobs are given.
unset SBATCH_GRES SBATCH_TIMELIMIT SBATCH_MEM_PER_NODE
exec python -m snakemake "${arguments[@]}" --default-resources "${resources[@]}" --slurm-init-seconds-before-status-checks 20 "$@"
