#!/usr/bin/env bash
# Judge saved generations, then print the alignment tables.
#   bash scripts/run_judge.sh --generations base=FILE --generations grpo=FILE --out DIR [ARGUMENT ...]
#   bash scripts/run_judge.sh --help                    all arguments of alignment_judge/judge.py
#   ... --judge rules                                   offline, for the synthetic data set
#   ... --base-url http://127.0.0.1:8000/v1 --model M   a server of your own (vLLM, llama.cpp, Ollama)
# Keys come from the environment or .env: OPENAI_API_KEY, or JUDGE_API_KEY with --base-url.
# A second call asks only for what is missing. --where only prints the folder DIR.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
if [[ " $* " == *" --where "* ]]; then
    exec python -m vlm_grpo.where "$@"
fi
python "$VLM_GRPO_ROOT/alignment_judge/judge.py" "$@"

out=""
while (($#)); do
    case $1 in
        --help | -h | --dry-run) exit ;;
        --out) out=$2 ;;
        --out=*) out=${1#--out=} ;;
    esac
    shift
done
python "$VLM_GRPO_ROOT/alignment_judge/statistics.py" --verdicts "$out/verdicts.jsonl" --out "$out/tables"
