#!/usr/bin/env bash
# Start a small Slurm cluster on this machine, to try batch scripts and for the tests; needs root.
#   eval "$(bash scripts/dev/slurm_up.sh [FOLDER])"     start it, and let this shell's sbatch, squeue, ... speak to it
#   bash scripts/dev/slurm_down.sh [FOLDER]             stop it
# One partition of two nodes, both of them this machine, each with eight pretended GPUs and more CPUs than there are, so
# that jobs run side by side. Keys, settings, state and logs are in FOLDER (default: /run/vlm-grpo-slurm), and the ports
# are its own: another Slurm on the machine is left alone. A second call finds it running and changes nothing. Where
# Slurm is missing, Debian's packages slurm-wlm and munge are installed.
# Printed is only the line for eval, which sets SLURM_CONF and PATH; messages go to stderr.
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
conf=$folder/slurm.conf
node=$(hostname -s)
export SLURM_CONF=$conf PATH=$PATH:/usr/sbin:/sbin

fail() {
    echo "error: $*" >&2
    exit 2
}

install_packages() {
    if type -P slurmctld slurmd sbatch srun munged >/dev/null; then
        return
    fi
    type -P apt-get >/dev/null || fail "Slurm and munge are not installed, and there is no apt-get to install them with"
    echo "installing Debian's slurm-wlm and munge" >&2
    export DEBIAN_FRONTEND=noninteractive
    local patience=(-o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20)
    { apt-get "${patience[@]}" update --quiet &&
        apt-get "${patience[@]}" install --quiet --yes --no-install-recommends slurm-wlm munge; } >&2 ||
        fail "apt-get could not install slurm-wlm and munge"
}

# cred_expire is also how long a requeued job waits: two minutes, were it not set.
write_settings() {
    cat >"$conf" <<-CONF
		ClusterName=vlm-grpo-dev
		SlurmctldHost=$node(127.0.0.1)
		SlurmctldPort=16817
		SlurmUser=root
		AuthType=auth/munge
		AuthInfo=socket=$folder/munge.socket,cred_expire=8
		CredType=cred/munge
		StateSaveLocation=$folder/state
		SlurmdSpoolDir=$folder/spool-%n
		SlurmctldPidFile=$folder/slurmctld.pid
		SlurmdPidFile=$folder/slurmd-%n.pid
		SlurmctldLogFile=$folder/slurmctld.log
		SlurmdLogFile=$folder/slurmd-%n.log
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core_Memory
		SchedulerParameters=sched_interval=2,batch_sched_delay=0,bf_interval=2
		MessageTimeout=60
		KillWait=10
		ReturnToService=2
		SlurmdParameters=config_overrides
		GresTypes=gpu
		NodeName=DEFAULT CPUs=64 RealMemory=512000 Gres=gpu:8 State=UNKNOWN
		NodeName=dev1 NodeHostname=$node NodeAddr=127.0.0.1 Port=16821
		NodeName=dev2 NodeHostname=$node NodeAddr=127.0.0.1 Port=16822
		PartitionName=main Nodes=dev1,dev2 Default=YES MaxTime=INFINITE State=UP
	CONF
    touch "$folder"/gpu{0..7}
    echo "Name=gpu File=$folder/gpu[0-7]" >"$folder/gres.conf"
}

# Snakemake starts srun without SLURM_CONF: these find the cluster by themselves.
write_programs() {
    local program
    mkdir -p "$folder/bin"
    for program in srun scontrol; do
        printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$conf" "$(PATH=${PATH//$folder\/bin:/} type -P "$program")" \
            >"$folder/bin/$program"
        chmod 755 "$folder/bin/$program"
    done
}

start_munge() {
    if munge --socket="$folder/munge.socket" --no-input &>/dev/null; then
        return
    fi
    dd if=/dev/urandom of="$folder/munge.key" bs=128 count=1 status=none
    chmod 600 "$folder/munge.key"
    munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" >&2 ||
        fail "munged did not start, see $folder/munged.log"
}

# True once the cluster answers and both nodes take jobs.
ready() {
    local states
    [[ -s $folder/slurmctld.pid ]] || return 1
    states=$(timeout 5 sinfo --noheader --Node --format=%T 2>/dev/null) || return 1
    [[ $(grep -cE '^(idle|mixed|allocated)$' <<<"$states") == 2 ]]
}

[[ $folder =~ ^[A-Za-z0-9/._+-]+$ ]] || fail "$folder: Slurm's settings hold no spaces or signs; name another folder"
[[ $(id --user) == 0 ]] || fail "a cluster is started by root: run this as root, or in a container where you are"
install_packages
mkdir -p "$folder"
chmod 755 "$folder"
exec 9>"$folder/lock"
flock 9
if ! ready; then
    bash "$(dirname "${BASH_SOURCE[0]}")/slurm_down.sh" "$folder"
    rm -rf "$folder/state"
    mkdir -p "$folder/state" "$folder/spool-dev1" "$folder/spool-dev2"
    write_settings
    write_programs
    start_munge 9>&-
    slurmctld -f "$conf" 9>&- >&2
    slurmd -f "$conf" -N dev1 9>&- >&2
    slurmd -f "$conf" -N dev2 9>&- >&2
    tries=0
    until ready; do
        ((++tries < 120)) || fail "the cluster does not answer, see the logs in $folder"
        sleep 0.5
    done
fi
echo "export SLURM_CONF=$conf PATH=$folder/bin:\$PATH"
