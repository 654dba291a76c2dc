"""The state folder: where one user's catalog, private broker and locks live."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from producer.host.trusted import check_trusted
from tasks.errors import CatalogError, UsageError

VARIABLE = "SEGFLEET_STATE"


@dataclass(frozen=True, kw_only=True, slots=True)
class StateFolder:
    """Paths in one state folder; ``path`` is absolute.  Everything in it belongs to one user."""

    path: Path

    @property
    def catalog_url(self) -> str:
        """SQLAlchemy URL of the local catalog."""
        return f"sqlite:///{self.path / 'catalog.sqlite'}"

    @property
    def broker_dir(self) -> Path:
        return self.path / "broker"

    @property
    def locks_dir(self) -> Path:
        return self.path / "locks"

    @property
    def logs_dir(self) -> Path:
        """The logs of local workers."""
        return self.path / "logs"


def open_state() -> StateFolder:
    """The state folder; makes it and its subfolders (mode 0700) where missing.

    It is ``$SEGFLEET_STATE``, else the platform's folder for a user's state.  Raises CatalogError when it cannot be
    made or written, UsageError when somebody else owns it or can write to it.
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
    for folder in (state.path, state.broker_dir, state.locks_dir, state.logs_dir):
        _make_private(folder)
    return state


def _make_private(folder: Path) -> None:
    try:
        # mkdir applies `mode` to the last part only; its parents get the usual mode.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(
            f"cannot make the state folder {folder}: {error.strerror}", hint=_HINT, path=str(folder)
        ) from error
    check_trusted(folder, folder.stat(), "the state folder")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise CatalogError(f"cannot write the state folder {folder}", hint=_HINT, path=str(folder))


_HINT = f"set {VARIABLE} to a folder that you can write"
