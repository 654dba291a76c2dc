"""The state folder: where one user's catalog, private broker and locks live."""

from __future__ import annotations

import hashlib
import os
import shlex
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs
from msgspec import Struct
from msgspec.structs import replace

from producer.host.room import why_not_writable
from producer.host.trusted import check_trusted
from tasks.errors import CatalogError, UsageError

VARIABLE = "SEGFLEET_STATE"

#: sun_path of a unix socket's address has 108 bytes, the last one is NUL.
LONGEST_SOCKET_PATH_BYTES = 107

_PARTS = ("broker", "locks", "logs")


class StateFolder(Struct, frozen=True, kw_only=True):
    """Paths in one state folder; ``path`` is absolute.  Everything in it belongs to one user."""

    path: Path
    #: Where broker, locks and logs are; None: in ``path`` too.
    work: Path | None = None

    @property
    def catalog_url(self) -> str:
        """SQLAlchemy URL of the local catalog."""
        return f"sqlite:///{self.path / 'catalog.sqlite'}"

    @property
    def broker_dir(self) -> Path:
        return self._work / "broker"

    @property
    def locks_dir(self) -> Path:
        return self._work / "locks"

    @property
    def logs_dir(self) -> Path:
        """The logs of local workers."""
        return self._work / "logs"

    @property
    def run_logs_dir(self) -> Path:
        """The logs of runs; made with the first."""
        return self.logs_dir / "runs"

    @property
    def spool_dir(self) -> Path:
        """What is read of streams and not stored yet."""
        return self._work / "spool"

    def known_file(self, volume: str) -> Path:
        """What the last backup of the volume found in its directories."""
        name = hashlib.blake2b(os.fsencode(volume), digest_size=8).hexdigest()
        return self.path / "known" / name

    @property
    def _work(self) -> Path:
        return self.work or self.path


def open_state() -> StateFolder:
    """The state folder; makes it and its subfolders (mode 0700) where missing.

    It is ``$SEGFLEET_STATE``, else the platform's folder for a user's state.  While it cannot be written, for want of
    space or permission, broker, locks and logs are in a folder for temporary files: reading needs no more.

    Raises CatalogError when it cannot be made or read, UsageError when somebody else owns it or can write to it.
    """
    chosen = os.environ.get(VARIABLE)
    path = Path(chosen).absolute() if chosen else platformdirs.user_state_path("segfleet")
    if "\n" in str(path):
        raise UsageError(
            f"the path of the state folder has a line break: {str(path)!r}",
            hint=f"set {VARIABLE} to a folder without one: the private broker cannot name its clients by such a path",
            path=str(path),
        )
    state = StateFolder(path=path)
    make_private(path)
    _refuse_what_others_left(path)
    if why := why_not_writable(path):
        state = replace(state, work=work_elsewhere(path, why))
    for folder in (state.broker_dir, state.locks_dir, state.logs_dir):
        make_private(folder)
    return state


def make_private(folder: Path) -> None:
    """Make a folder of the state folder, if it is not there; raises CatalogError, UsageError."""
    try:
        # mkdir applies `mode` to the last part only; its parents get the usual mode.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(
            f"cannot make the state folder {folder}: {error.strerror}", hint=_HINT, path=str(folder)
        ) from error
    check_trusted(folder, folder.stat(), "the state folder")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise CatalogError(f"cannot read the state folder {folder}", hint=_give_back(folder), path=str(folder))


def _refuse_what_others_left(path: Path) -> None:
    """Raises CatalogError for a file of another user in a state folder of this one, who could not write it."""
    # Root may write everything; and what belongs to root as a whole is only read.
    if os.geteuid() and path.stat().st_uid == os.geteuid():
        for folder in (path, *(path / part for part in _PARTS)):
            with suppress(FileNotFoundError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.stat(follow_symlinks=False).st_uid != os.geteuid():
                        raise CatalogError(
                            f"{entry.path} belongs to another user: segfleet has run as that user with this state "
                            "folder (sudo -E)",
                            hint=_give_back(path),
                            path=entry.path,
                        )


def _give_back(folder: Path) -> str:
    return (
        f"if it should be yours: sudo chown -R {os.geteuid()}:{os.getegid()} {shlex.quote(str(folder))}; else {_HINT}"
    )


def work_elsewhere(path: Path, why: str) -> Path:
    """A folder of this user's own for what a state folder holds beside the catalog: the same one for each command.

    Raises CatalogError, which says ``why`` it is not in ``path``, where there is none.
    """
    name = f"segfleet-{os.geteuid()}-{hashlib.blake2b(os.fsencode(path), digest_size=4).hexdigest()}"
    for place in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/dev/shm"):
        if place and not why_not_writable(Path(place)):
            # Where everybody can write, somebody else may have taken the name.
            with suppress(OSError, CatalogError, UsageError):
                folder = Path(place, name)
                folder.mkdir(mode=0o700, exist_ok=True)
                if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                    make_private(folder)
                    return folder
    raise CatalogError(f"cannot write the state folder {path}: {why}", hint=_HINT, path=str(path))


_HINT = f"set {VARIABLE} to a folder that you can write"
