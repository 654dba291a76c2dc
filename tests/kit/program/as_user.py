"""Commands run by a user who is not root, anyone who runs the tests.

The interpreter and this checkout may lie below a folder that root alone can enter; then the command gets mounts of its
own, in which the way there is open.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kit.needs import program
from kit.repository import REPOSITORY

_BECOME = """
import ctypes, os, sys

MS_BIND = 4096
user, count = int(sys.argv[1]), int(sys.argv[2])
places, command = sys.argv[3 : 3 + count], sys.argv[3 + count :]
libc = ctypes.CDLL(None, use_errno=True)

def mount(what, place, kind, flags, options):
    if libc.mount(what.encode(), place.encode(), kind, flags, options):
        raise OSError(ctypes.get_errno(), f"cannot mount {place}")

def closed_above(place):
    above = [place.split("/")[: length + 1] for length in range(1, place.count("/"))]
    return next((path for path in map("/".join, above) if not os.stat(path).st_mode & 1), None)

opened = {place: os.open(place, os.O_PATH) for place in places if closed_above(place)}
for closed in {closed_above(place) for place in opened}:
    mount("tmpfs", closed, b"tmpfs", 0, b"mode=755")
for place, handle in opened.items():
    os.makedirs(place, exist_ok=True)
    mount(f"/proc/self/fd/{handle}", place, None, MS_BIND, None)
os.setgroups([])
os.setgid(user)
os.setuid(user)
os.execv(command[0], command)
"""


def as_user(user: int) -> list[str]:
    """What to put before a command that ``user`` is to run; root only."""
    needed = {os.path.realpath(path) for path in (sys.base_prefix, sys.prefix, REPOSITORY)}
    # One that lies in another comes with it.
    places = sorted(place for place in needed if not any(Path(other) in Path(place).parents for other in needed))
    unshare = [program("unshare"), "--mount", "--propagation=private"]
    return [*unshare, sys.executable, "-c", _BECOME, str(user), str(len(places)), *places]
