"""A machine of its own for a test: state folder, devices, and the command that works on them."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from kit.deadlines import eventually
from kit.flags import clear_flags
from kit.program.command import Done, Running
from kit.scratch import new_folder

_STATE = "SEGFLEET_STATE"


class Machine:
    """Commands run in ``folder`` with a state folder, and folders for temporary files and configuration, of their own.

    ``folder`` has a short path: that of a unix socket has 107 bytes at most.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        #: $TMPDIR of the commands.
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        self._running: list[Running] = []
        self._adopted: set[int] = set()
        self._user: int | None = None

    def run_as(self, user: int) -> None:
        """Have all further commands run by ``user``, to whom state and devices belong from now on; root only."""
        self._user = user
        os.chown(self.folder, user, user)
        for root in (self.scratch, self.state, self.folder / "devices"):
            self._give(root)

    def _give(self, root: Path) -> None:
        if self._user is not None and root.exists():
            for path in (root, *root.rglob("*")):
                os.chown(path, self._user, self._user, follow_symlinks=False)

    # ---- folders

    @property
    def catalog(self) -> Path:
        """The file of its catalog."""
        return self.state / "catalog.sqlite"

    def devices(self, names: str) -> list[str]:
        """``--device`` options for the devices named by the words of ``names``; their folders are made."""
        for name in names.split():
            self.device(name).mkdir(parents=True, exist_ok=True)
        self._give(self.folder / "devices")
        return [f"--device={name}={self.device(name)}" for name in names.split()]

    def device(self, name: str) -> Path:
        return self.folder / "devices" / name

    def limit(self, names: str, rate: str | None, *, also: str = "") -> None:
        """Configure these devices, held to ``rate`` a second, or None: full speed; and what ``also`` says."""
        line = f'max-rate = "{rate}"\n' if rate else ""
        tables = [f'[devices.{name}]\npath = "{self.device(name)}"\n{line}' for name in names.split()]
        (self.folder / "segfleet.toml").write_text("".join([*tables, also]))

    def segments_on(self, *names: str) -> list[Path]:
        """The stored segments of these devices, or of all."""
        folders = [self.device(name) for name in names] or sorted((self.folder / "devices").iterdir())
        return [path for folder in folders for path in sorted(folder.glob("segments/*/*.seg"))]

    # ---- commands

    def run(self, *arguments: str | Path, **settings: str) -> Done:
        """Run a command to its end.  ``settings`` are further environment variables."""
        return self.start(*arguments, **settings).wait()

    def succeed(self, *arguments: str | Path, **settings: str) -> Done:
        """As :meth:`run`; fails the test unless the exit code is 0."""
        done = self.run(*arguments, **settings)
        assert done.exit_code == 0, done
        return done

    def start(self, *arguments: str | Path, **settings: str) -> Running:
        """Start a command; it is ended with the machine, if not before."""
        running = Running(
            [str(argument) for argument in arguments],
            environment=self.environment(settings),
            folder=self.folder,
            user=self._user,
        )
        self._running.append(running)
        return running

    def environment(self, settings: dict[str, str] | None = None) -> dict[str, str]:
        """The variables of the commands, with ``settings`` among them."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGFLEET_")}
        configuration = self.folder / "segfleet.toml"
        # Named, because a file that only lies in the current folder may hold no hooks.
        named = {"SEGFLEET_CONFIG": str(configuration)} if configuration.exists() else {}
        own = {
            **named,
            _STATE: str(self.state),
            "TMPDIR": str(self.scratch),
            # No configuration file of the person who runs the tests.
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }
        return inherited | own | (settings or {})

    # ---- processes

    def adopt(self, pid: int) -> None:
        """A command that something else has started, and that leads a session, belongs to this machine."""
        self._adopted.add(pid)

    def processes(self) -> list[psutil.Process]:
        """Every living process that belongs to this machine: commands, workers, the private broker and its keeper."""
        sessions = self._adopted | {running.pid for running in self._running}
        found = []
        for pid in psutil.pids():
            with suppress(OSError, psutil.Error):
                if self._owns(pid, sessions):
                    found.append(psutil.Process(pid))
        return found

    def _owns(self, pid: int, sessions: Set[int]) -> bool:
        """Raises OSError for a process that has ended, or is of another user.

        By its session and its folder too: what was forked shows another environment, and the server writes its title
        over its own.
        """
        # What has ended and is not waited for yet has no folder.
        cwd = os.readlink(f"/proc/{pid}/cwd")
        if os.getsid(pid) in sessions:
            return True
        if f"{cwd}/".startswith(f"{self.folder}/"):
            return pid != os.getpid()
        return f"{_STATE}={self.state}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")

    def wait_until_quiet(self) -> None:
        """Returns once no process of this machine is left; fails the test if one stays."""

        def is_quiet() -> bool:
            left = self.processes()
            # To look at all processes takes longer than to wait for some.
            wait_for_ends(left, timeout_s=1.0)
            return not left

        eventually(is_quiet, f"no process of {self.folder} is left")

    def end(self) -> None:
        for running in self._running:
            running.end()
        for process in self.processes():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        self.wait_until_quiet()


def wait_for_ends(processes: list[psutil.Process], *, timeout_s: float) -> None:
    """Returns once all have ended, or after ``timeout_s``.

    Children of the tests among them are left for whoever started them to wait for; psutil would take their exit codes.
    """
    until_s = time.monotonic() + timeout_s
    for process in processes:
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(process.pid)
            try:
                select.select([handle], [], [], max(0.0, until_s - time.monotonic()))
            finally:
                os.close(handle)


@contextmanager
def machine() -> Iterator[Machine]:
    """A new machine; when the block ends, its processes are ended and its folders removed."""
    folder = new_folder("sf-")
    made = Machine(folder)
    try:
        yield made
    finally:
        made.end()
        _remove(folder)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError:
        clear_flags(folder)
        # Which removes paths of any length.
        subprocess.run(["rm", "-rf", folder], check=True)
