# Sourced by every script: choose the environment, set it up if need be, and put it first on PATH.
#
#   source scripts/env.sh
#
# The first that applies:
#   1. inside this project's Pixi environment (`pixi run`, `pixi shell`): that one;
#   2. the interpreter in VLM_GRPO_PYTHON, an active venv, or an active conda environment (not base): that one, as it is;
#   3. Pixi is installed, and VLM_GRPO_VENV is not set: this project's Pixi environment;
#   4. a virtual environment in .venv, or where VLM_GRPO_VENV says.
# Those of the project (1, 3, 4) are made and updated by setup_env.sh from the hash-locked requirements/, which takes
# milliseconds when nothing changed. Settings come from .env, see .env_example. Exports VLM_GRPO_ROOT,
# DATA_PATH and OUT_PATH.
# Returns 2, after one line that says what to do, when there is no usable environment.

VLM_GRPO_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export VLM_GRPO_ROOT
source "$VLM_GRPO_ROOT/scripts/dotenv.sh" || return 2
source "$VLM_GRPO_ROOT/scripts/caches.sh" || return 2
export DATA_PATH=${DATA_PATH:-$VLM_GRPO_ROOT/data} OUT_PATH=${OUT_PATH:-$VLM_GRPO_ROOT/runs}

# Set vlm_grpo_prefix to the environment to use, ready for use.
vlm_grpo_choose_environment() {
    local setup=$VLM_GRPO_ROOT/scripts/setup_env.sh
    local venv=${VLM_GRPO_VENV:-$VLM_GRPO_ROOT/.venv} pixi=$VLM_GRPO_ROOT/.pixi/envs/default active=""

    if [[ ${PIXI_PROJECT_ROOT:-} -ef $VLM_GRPO_ROOT && -n ${CONDA_PREFIX:-} ]]; then
        pixi=$CONDA_PREFIX active=$CONDA_PREFIX
    elif [[ -n ${VLM_GRPO_PYTHON:-} ]]; then
        active=$(dirname "$(dirname "$(type -P "$VLM_GRPO_PYTHON" || echo "$VLM_GRPO_PYTHON")")")
    elif [[ -n ${VIRTUAL_ENV:-} ]]; then
        active=$VIRTUAL_ENV
    elif [[ ${CONDA_DEFAULT_ENV:-base} != base ]]; then
        active=${CONDA_PREFIX:-}
    fi

    if [[ -z $active && -z ${VLM_GRPO_VENV:-} ]] && type -P pixi >/dev/null; then
        vlm_grpo_prefix=$pixi
        bash "$setup" --check "$pixi" || pixi run --frozen --manifest-path "$VLM_GRPO_ROOT/pixi.toml" setup
    elif [[ -z $active || $active == "$venv" || $active == "$pixi" ]]; then
        vlm_grpo_prefix=${active:-$venv}
        bash "$setup" "$vlm_grpo_prefix"
    else
        vlm_grpo_prefix=$active
        bash "$setup" --check "$active" || vlm_grpo_accept "$active"
    fi
}

# Accept an environment that somebody else made, if it holds what the commands need.
vlm_grpo_accept() {
    local missing needed=(torch transformers trl peft accelerate datasets pandas scipy statsmodels pydantic)
    local probe='import sys; from importlib.util import find_spec; print(*(n for n in sys.argv[1:] if not find_spec(n)))'
    if [[ ! -x $1/bin/python ]]; then
        missing="a Python (no $1/bin/python)"
    else
        missing=$("$1/bin/python" -c "$probe" "${needed[@]}")
    fi
    if [[ -n $missing ]]; then
        echo "error: the active environment $1 lacks $missing: leave it (deactivate), or install the locked packages" \
            "into it with: bash scripts/setup_env.sh $1" >&2
        return 2
    fi
    echo "vlm-grpo: using the active environment $1 as it is; its packages are not the locked ones" >&2
}

vlm_grpo_choose_environment || return 2
[[ $PATH == "$vlm_grpo_prefix/bin:"* ]] || export PATH="$vlm_grpo_prefix/bin:$PATH"
[[ :${PYTHONPATH:-}: == *":$VLM_GRPO_ROOT/src:"* ]] || export PYTHONPATH="$VLM_GRPO_ROOT/src${PYTHONPATH:+:$PYTHONPATH}"
if [[ -f $vlm_grpo_prefix/pyvenv.cfg ]]; then
    export VIRTUAL_ENV=$vlm_grpo_prefix
fi
# Data loaders fork; the tokenizers library warns at every fork unless it is told what to do.
export TOKENIZERS_PARALLELISM=${TOKENIZERS_PARALLELISM:-false}
# OpenMP's threads spin while they wait, which stalls a machine that others use too: let them sleep.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
export HF_HUB_DISABLE_TELEMETRY=${HF_HUB_DISABLE_TELEMETRY:-1}
unset -f vlm_grpo_choose_environment vlm_grpo_accept
unset vlm_grpo_prefix
