"""Have something done by a user who is not root, anyone who runs the tests."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

#: ``nobody`` and ``nogroup`` on Debian; no other user is needed.
NOBODY = 65534


def as_nobody(folder: Path, act: Callable[[Path], None], *, groups: Sequence[int] = ()) -> None:
    """Call ``act`` with a path of ``folder`` in a child that has given up root; fails the test when it raises.

    ``folder`` then belongs to nobody, who reaches it although those above it belong to root alone, and who belongs to
    ``groups`` besides his own.  Without root, ``act`` runs as the user that runs the tests.
    """
    if os.geteuid() != 0:
        act(folder)
        return
    os.chown(folder, NOBODY, NOBODY)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _give_up_root(folder, act, groups)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "see the traceback in standard error"


def _give_up_root(folder: Path, act: Callable[[Path], None], groups: Sequence[int]) -> None:
    handle = os.open(folder, os.O_RDONLY)
    os.setgroups(groups)
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    act(Path(f"/proc/self/fd/{handle}"))
