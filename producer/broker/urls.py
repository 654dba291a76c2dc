"""Broker URLs: which are supported, and how to show one without its password."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

#: kombu's names for Redis over TCP, over TLS, and on a unix socket.
SCHEMES = ("redis", "rediss", "redis+socket")

#: Up to the last @: a password that should have been percent-encoded may hold "/", "@" and "#".
_USER_INFO = re.compile(r"^(?P<before>(?:[^:@/]*://)?+[^:@/]*):.*@", re.DOTALL)
_SECRET_PARAMETER = re.compile(r"([?&][a-z_]*password=)[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """``url`` for people to read: redis://me:secret@host/0 --> redis://me:***@host/0"""
    return _SECRET_PARAMETER.sub(r"\1***", _USER_INFO.sub(r"\g<before>:***@", url))


def scheme_of(url: str) -> str:
    return url.partition("://")[0].lower()


def is_open(url: str) -> bool:
    """Whether ``url`` leads over TCP to a broker without password and client certificate."""
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("redis", "rediss"):
        return False
    secrets = {"password", "ssl_certfile"} & parse_qs(parts.query).keys()
    return not parts.password and not secrets


def socket_url(path: Path) -> str:
    """kombu's URL of the unix socket at ``path`` (absolute); kombu percent-decodes it."""
    return f"redis+socket://{quote(str(path))}"
