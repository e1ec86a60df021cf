#!/usr/bin/env bash
# Run one attempt of a command that can be stopped and goes on when it is started again; under Slurm, requeue the job
# when it was stopped.
#
#   bash slurm/attempt.sh LOG FOLDER COMMAND [ARGUMENT ...]
#
# What COMMAND prints also goes to LOG, in which {attempt} stands for the attempt's number; attempts that share a log are
# appended. FOLDER is where COMMAND writes: its checkpoints, answers or verdicts tell whether an attempt made progress.
#
# SIGUSR1 (the job's limit is near) and SIGTERM (preemption, node drain, scancel, the limit) are passed on to COMMAND,
# which ends with code 85 once it has saved (python -m vlm_grpo.training), or is killed by the signal. Then the job is
# requeued, if it made progress since this attempt began, was not cancelled, and has not been restarted
# VLM_GRPO_MAX_RESTARTS times (default 20). Otherwise, and outside Slurm, COMMAND's exit code is returned.
# Not seen here: SIGKILL. What it leaves behind goes on when the job is submitted again.
set -uo pipefail

readonly STOPPED=85
job=${SLURM_JOB_ID:-}
max_restarts=${VLM_GRPO_MAX_RESTARTS:-20}
child="" last_signal=""
signals=0

say() { echo "vlm-grpo: $*" >&2; }

if (($# < 3)); then
    echo "error: usage: bash slurm/attempt.sh LOG FOLDER COMMAND [ARGUMENT ...]" >&2
    exit 2
fi
if [[ ! $max_restarts =~ ^[0-9]+$ ]]; then
    echo "error: VLM_GRPO_MAX_RESTARTS is '$max_restarts': give a number of restarts" >&2
    exit 2
fi

# How far the result in $folder is: its last complete checkpoint's step, or its number of answers, verdicts or probes.
progress() {
    local mark step=0 number records=0 file
    for mark in "$folder"/checkpoint-*/complete.json; do
        number=${mark%/complete.json} number=${number##*-}
        if [[ -f $mark ]] && ((number > step)); then step=$number; fi
    done
    for file in "$folder"/generations.jsonl "$folder"/verdicts.jsonl "$folder"/probes.jsonl; do
        if [[ -f $file ]]; then records=$((records + $(wc -l <"$file"))); fi
    done
    echo $((step + records))
}

job_field() { scontrol show job --oneliner "$job" 2>/dev/null | grep --only-matching --max-count=1 "$1=[^ ]*" | cut -d= -f2; }

# shellcheck disable=SC2329 # the traps call it
pass_on() {
    signals=$((signals + 1)) last_signal=$1
    if [[ -n $child ]]; then kill -s "$1" "$child" 2>/dev/null; fi
}

# What Slurm does not tell every process: a step how often its job was restarted, and, before version 23, when it ends.
tell_job() {
    SLURM_RESTART_COUNT=${SLURM_RESTART_COUNT:-$(job_field Restarts)}
    SLURM_JOB_END_TIME=${SLURM_JOB_END_TIME:-$(date --date="$(job_field EndTime)" +%s 2>/dev/null)}
    export SLURM_RESTART_COUNT=${SLURM_RESTART_COUNT:-0}
    if [[ -n $SLURM_JOB_END_TIME ]]; then export SLURM_JOB_END_TIME; else unset SLURM_JOB_END_TIME; fi
}

# Requeue the job, or say why not.
requeue() {
    local after state
    after=$(progress)
    state=$(job_field JobState)/$(job_field Reason)
    # A job that scancel ends is COMPLETING, too; only the reason tells the two apart.
    if [[ ! $state =~ ^(RUNNING|PREEMPTED|TIMEOUT)/|/(TimeLimit|Preempt.*)$ ]]; then
        say "job $job was cancelled at $after (Slurm's state and reason: $state): not requeued"
    elif ((after <= before)); then
        say "stopped without progress (at $before when this attempt began, at $after now): not requeued; a longer" \
            "--time, or more frequent checkpoints (save_steps), let it get further"
    elif ((restarts >= max_restarts)); then
        say "stopped at $after after $restarts restarts (VLM_GRPO_MAX_RESTARTS): not requeued; submit it again to go on"
    else
        say "stopped at $after: requeueing job $job (restart $((restarts + 1)) of at most $max_restarts)"
        scontrol requeue "$job" || say "Slurm does not requeue job $job: submit it again to go on"
    fi
}

if [[ -n $job ]]; then
    tell_job
fi
restarts=${SLURM_RESTART_COUNT:-0}
log=${1//\{attempt\}/$((restarts + 1))} folder=$2
shift 2

mkdir -p "$(dirname "$log")"
before=$(progress)
headline="== attempt $((restarts + 1)): job ${job:-none} on $(hostname), $(date -u +%Y-%m-%dT%H:%M:%SZ), at $before"

# From here to the command's end no $(...): bash 5.2 loses a signal that comes while it reads one.
trap 'pass_on USR1' USR1
trap 'pass_on TERM' TERM INT

# A tee that outlives the signals, so that the last lines are kept.
exec {terminal}>&1 > >(trap '' USR1 TERM INT && exec tee --append "$log") 2>&1
tee=$!

echo "$headline"
"$@" &
child=$!
# A signal that came before there was whom to tell.
if [[ -n $last_signal ]]; then kill -s "$last_signal" "$child" 2>/dev/null; fi
# `wait` also returns when a signal comes; the command may still be running then.
code=0 seen=-1
until ((seen == signals)); do
    seen=$signals
    wait "$child"
    code=$?
done
trap '' USR1 TERM INT

if ((code == STOPPED || (signals > 0 && code > 128))); then
    if [[ -n $job ]]; then requeue; else say "stopped; the same command goes on"; fi
elif ((code != 0)); then
    say "ended with exit code $code"
fi
exec >&"$terminal" 2>&1
wait "$tee"
exit "$code"
