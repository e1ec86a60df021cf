# shellcheck shell=sh
# Sourced by Pixi when it activates the environment, see [activation] in pixi.toml: do what env.sh does.
#
# `pixi run`, `pixi shell` and `pixi shell-hook` activate, `pixi install` does not. The first time sets the environment up
# (one line says so), later ones take milliseconds. Whatever goes wrong is told in one line, and the shell, which may be
# somebody's own and not bash, goes on. (Pixi's experimental cache of activations, which is off by default, keeps the
# variables and passes all of this over; the scripts then set up what is missing.)

if vlm_grpo_exports=$(bash "${PIXI_PROJECT_ROOT:-.}/scripts/pixi_exports.sh" "${PPID:-0}"); then
    eval "$vlm_grpo_exports"
fi
unset vlm_grpo_exports
