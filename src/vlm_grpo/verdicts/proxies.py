"""Proxies of the environment: passed by where `NO_PROXY` says so, and a clear line where one cannot be used."""

from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from vlm_grpo.errors import UserError

SOCKS = ("socks5", "socks5h")


def stand_before(base_url: str) -> bool:
    """Whether the environment's proxies, if any, are for `base_url`; `UserError` when one cannot be used."""
    if proxy_bypass(urlsplit(base_url).hostname or ""):
        return False
    for kind, address in getproxies().items():
        wrong = _wrong(address) if kind in ("http", "https", "all") else None
        if wrong:
            host = urlsplit(base_url).hostname
            raise UserError(f"{kind.upper()}_PROXY {wrong}; mend or unset it, or add {host} to NO_PROXY")
    return True


def _wrong(address: str) -> str | None:
    """What is wrong with the address of a proxy (never the address: it may hold a password)."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        if not parts.hostname or parts.port == 0 or any(sign.isspace() for sign in address):
            return "is not the address of a proxy"
    except ValueError:
        return "is not the address of a proxy"
    if parts.scheme in SOCKS:
        return None if find_spec("socksio") else "names a SOCKS proxy, which needs the package socksio"
    return None if parts.scheme in ("http", "https") else f"names a proxy of the unknown kind {parts.scheme!r}"
