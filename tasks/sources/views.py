"""Whether two processes see a source alike: in the same mount of one host, with the same numbers for owners."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated

from msgspec import Meta

View = Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")]


def view_of(status: os.stat_result) -> View:
    """What names this process's view of a source, from the status of its root; "" where that is unknown."""
    host = _host()
    if not host:
        return ""
    text = f"{host} {status.st_dev} {status.st_ino}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def view_at(root: Path) -> View:
    """This process's view of the source at ``root``; "" where it has none."""
    try:
        return view_of(root.stat())
    except OSError:
        return ""


@cache
def _host() -> str:
    """The boot of this host, and the namespace in which the numbers of users count."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/user').readlink()}"
    return ""
