#!/usr/bin/env bash
# Stop the cluster that slurm_up.sh started in FOLDER, and its jobs; nothing else. Settings and logs stay there.
#   bash scripts/dev/slurm_down.sh [FOLDER]
set -euo pipefail
if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit
fi
if (($# > 1)) || [[ ${1:-} == -* ]]; then
    echo "error: ${*: -1}: give at most a folder; see --help" >&2
    exit 2
fi

folder=$(realpath --canonicalize-missing "${1:-/run/vlm-grpo-slurm}")

# Whether process $1 is one of this folder's: its command line names the folder.
is_ours() { [[ -r /proc/$1/cmdline ]] && tr '\0' ' ' <"/proc/$1/cmdline" | grep --quiet --fixed-strings "$folder/"; }

stop() {
    local file=$folder/$1.pid pid tries=0
    [[ -s $file ]] || return 0
    pid=$(<"$file")
    while is_ours "$pid"; do
        ((tries++ % 20)) || kill "$pid" 2>/dev/null || true
        ((tries < 100)) || kill -KILL "$pid" 2>/dev/null || true
        sleep 0.1
    done
    rm -f "$file"
}

if [[ -s $folder/slurmctld.pid ]] && is_ours "$(<"$folder/slurmctld.pid")"; then
    export SLURM_CONF=$folder/slurm.conf
    timeout 10 scancel --state=PENDING --user=root 2>/dev/null || true
    timeout 10 scancel --user=root 2>/dev/null || true
    for _ in {1..50}; do
        [[ -n $(timeout 5 squeue --noheader 2>/dev/null) ]] || break
        sleep 0.2
    done
fi
for daemon in slurmd-dev1 slurmd-dev2 slurmctld munged; do
    stop "$daemon"
done
