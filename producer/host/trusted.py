"""What segfleet obeys must be its user's own: anyone who can write a configuration or a state folder commands the user.

A configuration names commands to run, and the state folder holds what was left to do.
"""

from __future__ import annotations

import os
import pwd
import stat

from tasks.errors import UsageError


def check_trusted(path: str | os.PathLike[str], found: os.stat_result, what: str) -> None:
    """Raises UsageError unless ``path``, of this status, belongs to the user or root and nobody else can write it.

    Take ``found`` from the open descriptor where the content is read, so that it is the same file.
    """
    shown = os.fspath(path)
    if found.st_uid not in (os.geteuid(), 0):
        raise UsageError(
            f"{what} {shown} belongs to {_name_of(found.st_uid)}, not to {_name_of(os.geteuid())} or root",
            hint="its owner could run commands as you; use a file and folder of your own",
            path=shown,
        )
    if stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(
            f"others can write {what} {shown} (mode {stat.S_IMODE(found.st_mode):04o})",
            hint=f"anyone who can write it could run commands as you; if it is what you want: chmod go-w {shown}",
            path=shown,
        )


def _name_of(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
