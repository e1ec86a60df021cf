#!/usr/bin/env bash
# Submit a batch script to Slurm with the settings of .env.
#   bash scripts/submit.sh [SBATCH_OPTION ...] slurm/NAME.sbatch [ARGUMENT ...]
#   ... --dry-run       print the command and the batch script with the settings that hold; submit nothing
# .env (or the environment) may name SBATCH_ACCOUNT, SBATCH_QOS, SBATCH_PARTITION, SBATCH_TIMELIMIT, SBATCH_GRES and
# SBATCH_MEM_PER_NODE; sbatch's options here win over them, and they over the script's #SBATCH lines. A script that asks
# for no GPU is not given any by SBATCH_GRES.
#   bash scripts/submit.sh --time=24:00:00 --gres=gpu:a100:1 slurm/grpo.sbatch --learning_rate 5e-6
set -euo pipefail

VLM_GRPO_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$VLM_GRPO_ROOT/scripts/dotenv.sh"
cd "$VLM_GRPO_ROOT"

fail() {
    echo "error: $*" >&2
    exit 2
}

dry_run=false given=() script="" arguments=()
for argument in "$@"; do
    case $argument in
        --dry-run) dry_run=true ;;
        --help | -h)
            if [[ -z $script ]]; then sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" && exit; fi
            arguments+=("$argument")
            ;;
        *.sbatch) if [[ -z $script ]]; then script=$argument; else arguments+=("$argument"); fi ;;
        *) if [[ -z $script ]]; then given+=("$argument"); else arguments+=("$argument"); fi ;;
    esac
done
[[ -n $script ]] || fail "name a batch script: bash scripts/submit.sh slurm/grpo.sbatch; see --help"
[[ -f $script ]] || fail "$script: no such batch script; there are: $(echo slurm/*.sbatch)"
for option in "${given[@]}"; do
    [[ $option == --*=* || $option == --[a-z]* ]] || fail "'$option' before $script: write sbatch's options as --name=value"
done

options=()
add() { # OPTION VALUE: what the environment says, unless the command line does
    if [[ -n $2 && " ${given[*]}" != *" $1="* ]]; then options+=("$1=$2"); fi
}
add --account "${SBATCH_ACCOUNT:-}"
add --qos "${SBATCH_QOS:-}"
add --partition "${SBATCH_PARTITION:-}"
add --time "${SBATCH_TIMELIMIT:-}"
if grep --quiet '^#SBATCH --gres' "$script"; then
    add --gres "${SBATCH_GRES:-}"
fi
add --mem "${SBATCH_MEM_PER_NODE:-}"
unset SBATCH_GRES
options+=("${given[@]}")

if ! $dry_run; then
    type -P sbatch >/dev/null || fail "no sbatch here: submit from a machine of the cluster; --dry-run works anywhere"
    exec sbatch "${options[@]}" "$script" "${arguments[@]}"
fi
command=$(printf '%q ' sbatch "${options[@]}" "$script" "${arguments[@]}")
echo "# ${command% }"
printf '%s\n' "${options[@]}" | awk '
    FNR == NR { if ($0 != "") { name = $0; sub(/=.*/, "", name); names[++count] = name; set[name] = $0 }; next }
    /^#SBATCH --/ { name = $2; sub(/=.*/, "", name); last = 1
        if (name in set) { print "#SBATCH " set[name]; delete set[name]; next } }
    !/^#SBATCH/ && last { for (i = 1; i <= count; i++) if (names[i] in set) print "#SBATCH " set[names[i]]; last = 0 }
    { print }' - "$script"
