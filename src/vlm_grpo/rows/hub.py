"""Files of a data set on the Hugging Face hub, all of one commit."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HFValidationError

from vlm_grpo.errors import UserError


def fetch(repository: str, names: Sequence[str], *, revision: str | None, instead: str) -> tuple[list[Path], str]:
    """The files `names` of the data set `repository`, in order, and their commit.

    `revision` (a branch, tag or commit) is resolved; `instead` is the option for local files, for the `UserError` of
    what cannot be had.
    """
    try:
        files = [Path(hf_hub_download(repository, name, repo_type="dataset", revision=revision)) for name in names]
    except (OSError, HFValidationError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{repository} cannot be had from the hub ({reason}); check name, revision and network, or use {instead}"
        ) from None
    commits = {file.parent.name for file in files}
    if len(commits) != 1:
        raise UserError(f"{repository} changed while it was read; run the command again, or give --revision")
    return files, commits.pop()
