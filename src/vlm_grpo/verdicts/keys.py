"""The API key: read from the environment or `.env`, and kept out of everything that is written or printed.

Servers echo keys in error messages and could do so in answers; whatever comes back from one passes through `redact` or
`redact_reply` before it is stored or shown. What local servers are given for a key (`1`, `null`, `EMPTY`) is no secret
and occurs in replies by itself: it is left where it stands.
"""

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from html.entities import codepoint2name
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from vlm_grpo.errors import UserError

OPENAI = "OPENAI_API_KEY"
COMPATIBLE = "JUDGE_API_KEY"
"""The key of an OpenAI-compatible server; the one of OpenAI is never sent there."""
REDACTED = "[key removed]"
_HOST = re.compile(r"[\w.-]+")
_UNTYPED = re.compile(r"[\s\x00-\x20\x7f\\]")
_SECRET_LENGTH = 8
_SHORT_SECRET_LENGTH = 6
"""Of a key that mixes letters with digits or signs."""


def find_key(name: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str | None:
    """The key called `name` from the environment, else from `.env` in `folder` (the current one); None without.

    `UserError` for a key that no HTTP header can carry, such as one copied with a typographic quote.
    """
    own = (os.environ if environment is None else environment).get(name)
    key = (own or _from_dotenv((folder or Path.cwd()) / ".env", name) or "").strip()
    odd = next((character for character in key if not "!" <= character <= "~"), None)
    if odd is not None:
        raise UserError(f"{name} holds the character {odd!a}, which no key has; copy the key again, without quotes")
    return key or None


def _from_dotenv(path: Path, name: str) -> str | None:
    try:
        return dotenv_values(path, encoding="utf-8-sig").get(name)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8") from None


def is_secret(key: str | None) -> bool:
    """Whether `key` is long and mixed enough to be one, and not a placeholder for a server that asks for none."""
    if key is None:
        return False
    mixed = any(c.isalpha() for c in key) and not key.isalpha()
    return len(key) >= (_SHORT_SECRET_LENGTH if mixed else _SECRET_LENGTH)


def redact(text: str, key: str | None) -> str:
    """`text` without any occurrence of `key`, however JSON, a URL or HTML spells its characters."""
    return _spellings(key).sub(REDACTED, text) if key is not None and is_secret(key) else text


def redact_reply(text: str, key: str | None) -> str:
    """`text` without `key`; when it is JSON, only its strings change, so that it stays the same JSON otherwise."""
    if redact(text, key) == text:
        return text
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return redact(text, key)
    clean = _redact_strings(value, key)
    return text if clean == value else json.dumps(clean)


def _redact_strings(value: Any, key: str | None) -> Any:
    if isinstance(value, str):
        return redact(value, key)
    if isinstance(value, list):
        return [_redact_strings(item, key) for item in value]
    if isinstance(value, dict):
        return {redact(name, key): _redact_strings(item, key) for name, item in value.items()}
    return value


@lru_cache
def _spellings(key: str) -> re.Pattern[str]:
    return re.compile("".join(_spelling(character) for character in key))


def _spelling(character: str) -> str:
    """A pattern of one character: itself, escaped by backslashes, as `\\uXXXX`, `%XX` or an HTML entity."""
    code = ord(character)
    ways = [r"\\{0,8}" + re.escape(character), rf"\\{{1,8}}u(?i:{code:04x})", f"%(?i:{code:02x})"]
    ways += [f"&#0*{code};", f"&#[xX]0*(?i:{code:x});"]
    if code in codepoint2name:
        ways.append(f"&{codepoint2name[code]};")
    return f"(?:{'|'.join(ways)})"


def check_base_url(url: str) -> str:
    """`url` unless it carries credentials (they would reach the manifest) or is no HTTP address."""
    if any(sign in url for sign in "@?#"):
        raise UserError(f"--base-url must not carry credentials, a query or a fragment; put the key into {COMPATIBLE}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        named = bool(ipaddress.IPv6Address(host) if ":" in host else host.encode("idna") and _HOST.fullmatch(host))
        right = named and port != 0 and parts.scheme in ("http", "https") and not _UNTYPED.search(url)
    except ValueError:
        right = False
    if not right:
        raise UserError(f"--base-url {url!r} is not an http(s) address such as http://127.0.0.1:8000/v1")
    return url
