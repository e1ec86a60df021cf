#!/usr/bin/env bash
# Take a picture of each page of a study at two sizes, light and dark, with Debian's Chromium: to be looked at.
#   bash scripts/dev/screenshots.sh RESULTS OUT             RESULTS is the folder of a report with its pages
set -euo pipefail
if (($# != 2)); then
    sed -n 2,3p "${BASH_SOURCE[0]}" >&2
    exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
exec python "$VLM_GRPO_ROOT/scripts/dev/screenshots.py" "$@"
