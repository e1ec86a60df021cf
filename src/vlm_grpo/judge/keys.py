"""The API key: read from the environment or `.env`, and kept out of everything that is written or printed.

Servers echo keys in error messages and could do so in answers; whatever comes back from one passes through `redact`
before it is stored or shown.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from vlm_grpo.errors import UserError

OPENAI = "OPENAI_API_KEY"
COMPATIBLE = "JUDGE_API_KEY"
"""The key of an OpenAI-compatible server; the one of OpenAI is never sent there."""
REDACTED = "[key removed]"


def find_key(name: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str | None:
    """The key called `name` from the environment, else from `.env` in `folder` (the current one); None without."""
    own = (os.environ if environment is None else environment).get(name)
    found = own or dotenv_values((folder or Path.cwd()) / ".env").get(name)
    return found.strip() if found and found.strip() else None


def redact(text: str, key: str | None) -> str:
    """`text` without any occurrence of `key`."""
    return text.replace(key, REDACTED) if key else text


def check_base_url(url: str) -> str:
    """`url` unless it carries credentials (they would reach the manifest) or is no HTTP address."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise UserError(f"--base-url must not carry credentials or a query; put the key into {COMPATIBLE}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UserError(f"--base-url {url!r} is not an http(s) address such as http://127.0.0.1:8000/v1")
    return url
