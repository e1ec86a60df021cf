#!/usr/bin/env bash
# Set up the active Pixi environment if need be, then print what env.sh exports, as lines for a shell to evaluate.
#
#   bash scripts/pixi_exports.sh PID    (pixi_activate.sh calls it)
#
# PID is the process that activates. Pixi itself keeps what an activation prints to itself; progress and errors go to
# where Pixi's own go, if that is a terminal or a pipe. `pixi run setup` is left to its task, which shows all of its output.
set -uo pipefail

root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
pixi=/proc/$1

say() {
    [[ ! -t 2 ]] || printf '\r\033[K' >&2 # Pixi's spinner stands in this line
    echo "$*" >&2
}

if [[ $pixi/exe -ef ${PIXI_EXE:-} ]]; then
    if [[ ! -t 2 && (-c $pixi/fd/2 || -p $pixi/fd/2) && -w $pixi/fd/2 ]]; then
        exec 2>>"$pixi/fd/2"
    fi
    command_line=$(tr '\0' ' ' <"$pixi/cmdline")
    [[ ! $command_line =~ \ run\ (.*\ )?setup\ $ ]] || exit 1
fi
if [[ -z ${CONDA_PREFIX:-} || ! ${PIXI_PROJECT_ROOT:-} -ef $root ]]; then
    say "error: scripts/pixi_activate.sh is for Pixi to source; type: source scripts/env.sh"
    exit 2
fi

log=$CONDA_PREFIX/.vlm-grpo-activation.log
if ! bash "$root/scripts/setup_env.sh" --check "$CONDA_PREFIX" &>/dev/null; then
    say "vlm-grpo: setting up $CONDA_PREFIX, once; it takes some minutes (how far it is: tail -f $log)"
    if ! bash "$root/scripts/setup_env.sh" "$CONDA_PREFIX" </dev/null >>"$log" 2>&1; then
        reason=$(sed -n 's/^error: //p' "$log" | tail -n 1)
        say "error: the Pixi environment is not set up: ${reason:-see $log}; type: pixi run setup"
        exit 2
    fi
fi

declare -A before
for name in $(compgen -e); do
    before[$name]=${!name}
done
source "$root/scripts/env.sh" >&2 || exit
for name in $(compgen -e); do
    if [[ $name != _ && ${!name} != "${before[$name]-}" ]]; then
        printf 'export %s=%q\n' "$name" "${!name}"
    fi
done
