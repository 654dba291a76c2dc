"""Whether a SQLite catalog is still the file that was opened.

SQLite keeps writing to a file that somebody has deleted, or has replaced by a copy: nobody would read that again.
"""

from __future__ import annotations

from pathlib import Path

from tasks.errors import CatalogError


class SameFile:
    """``path``: of the file, which is there now; None for a database server, which has no file of ours."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._identity = _identity(path)

    def confirm(self) -> None:
        """Raise CatalogError if another file, or none, has taken its place."""
        if _identity(self._path) != self._identity:
            raise CatalogError(
                f"the catalog {self._path} was deleted or replaced while this command used it",
                hint="put it back, or make it from the devices: segfleet rebuild; then run the command again",
                path=str(self._path),
            )


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)
