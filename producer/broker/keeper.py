"""The process that owns the private server: starts it, restarts it, and stops it after the last user.

Run by its path with ``python -I -S``, in a session of its own, and limited to the cheapest modules of
the standard library: it is up in 15 ms, where an import of the package's dependencies takes 300 ms.

    keeper.py FOLDER LOCK_DESCRIPTOR SERVER_COMMAND...

``producer/broker/__init__.py`` says how users, keeper and server find and leave each other.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path

#: A server that ends sooner than this has failed to start.
YOUNG_S = 1.0
#: After this many failed starts in a row the keeper gives up.
MAX_SHORT_LIVES = 5

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Keeper:
    """One private server in one folder, and the wait for its last user."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.data = folder / "data"
        self.socket = folder / "broker.sock"
        self.command = command
        # The descriptor is shared with the watcher: a lock that the watcher is granted is the keeper's too.
        self.users = os.open(folder / "users.lock", os.O_RDWR)
        self.short_lives = 0

    def keep(self) -> None:
        """Returns when no user is left and the server is gone, or when the server does not come up."""
        server, started = self._start_server(), time.monotonic()
        watcher = self._start_watcher()
        while True:
            ended, status = os.wait()
            if ended == watcher and status == 0:
                self._stop(server)
                self._empty()
                return
            if ended == watcher:
                watcher = self._start_watcher()
            elif ended == server:
                if not self._may_restart(os.waitstatus_to_exitcode(status), time.monotonic() - started):
                    return
                server, started = self._start_server(), time.monotonic()

    def _may_restart(self, exit_code: int, lifetime_s: float) -> bool:
        say(f"the server ended with {exit_code} after {lifetime_s:.1f} s")
        self.short_lives = self.short_lives + 1 if lifetime_s < YOUNG_S else 0
        if exit_code > 0 and self.short_lives:
            # It refuses its data.  The catalog knows what to feed again.
            say("starting again without the data")
            self._empty()
        # Do not spin: the second short life waits 0.1 s, the fifth 0.4 s.
        time.sleep(0.1 * max(0, self.short_lives - 1))
        return self.short_lives < MAX_SHORT_LIVES

    def _start_server(self) -> int:
        self.data.mkdir(exist_ok=True)
        server = fork_bound_child()
        if server == 0:
            try:
                os.execv(self.command[0], self.command)
            except OSError as error:
                print(f"cannot run {self.command[0]}: {error.strerror}", flush=True)
            finally:
                os._exit(127)
        return server

    def _start_watcher(self) -> int:
        """A child that ends with 0 as soon as no user holds the lock: waits in the kernel, costs nothing."""
        watcher = fork_bound_child()
        if watcher == 0:
            fcntl.flock(self.users, fcntl.LOCK_EX)
            os._exit(0)
        return watcher

    def _stop(self, server: int) -> None:
        # Nobody is connected and the data is removed next: SHUTDOWN would waste 100 ms.
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)

    def _empty(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.socket.unlink(missing_ok=True)


def fork_bound_child() -> int:
    """As os.fork, but the kernel kills the child when this process dies."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # died before the call above
            os._exit(1)
    return child


def say(text: str) -> None:
    print(f"{os.getpid()}:K {time.strftime('%d %b %Y %H:%M:%S')} keeper: {text}", flush=True)


def main(folder: str, lock: str, *command: str) -> None:
    # The user that started this waits for the first process only; the second belongs to nobody.
    if os.fork():
        return
    # Held, and not passed on, for as long as this process lives.
    os.set_inheritable(int(lock), False)
    os.umask(0o077)
    say("started")
    Keeper(Path(folder), list(command)).keep()
    say("ended")


if __name__ == "__main__":
    main(*sys.argv[1:])
