"""Folders and a catalog in one process, as a power cut leaves them: only what was synced is certain to be there."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from producer.catalog.database.database import Database

FOLDER = -1


class PowerCut:
    """What is on the disk, of the folders below ``devices`` and of the SQLite file ``catalog``, which is closed now.

    A folder has the entries of its last sync, a file the bytes of its last sync, and the catalog what its last durable
    transaction left.  That is the least that a file system and SQLite promise.
    """

    def __init__(self, devices: Path, catalog: Path, shadow: Path) -> None:
        """``shadow``: an empty folder on the same file system."""
        self._devices, self._catalog, self._shadow = devices, catalog, shadow
        #: Folder below ``devices`` → name → what is there: the inode of a file, or FOLDER.
        self._entries: dict[Path, dict[str, int]] = {}
        #: Called when a folder is about to be synced.
        self.before_sync: Callable[[], None] = lambda: None
        shadow.mkdir()
        for above, _, files in os.walk(devices):
            for name in files:
                self._keep(Path(above, name))
            self._entries[Path(above)] = _entries_of(Path(above))
        self._copy_catalog()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notices all that is synced during the block."""
        really_sync, really_commit = os.fsync, Database.durable_transaction

        def fsync(descriptor: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            is_ours, is_folder = path.is_relative_to(self._devices), stat.S_ISDIR(os.fstat(descriptor).st_mode)
            if is_ours and is_folder:
                self.before_sync()
            really_sync(descriptor)
            if is_ours and is_folder:
                self._entries[path] = _entries_of(path)
            elif is_ours:
                self._keep(path)

        @contextmanager
        def durable_transaction(database: Database) -> Iterator[None]:
            with really_commit(database):
                yield
            self._copy_catalog()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            patch.setattr(Database, "durable_transaction", durable_transaction)
            yield

    def cut(self, *, survives: float, seed: int = 0) -> None:
        """Leave what is on the disk; of all that was not synced the share ``survives`` is there nevertheless.

        The catalog is closed by then, and loses all that was not synced.
        """
        chance = random.Random(seed)
        self._restore(self._devices, lambda: chance.random() < survives)
        for file in self._catalog_files(self._catalog.parent):
            file.unlink()
        for file in self._catalog_files(self._shadow):
            shutil.copy2(file, self._catalog.parent)

    def _restore(self, folder: Path, survives: Callable[[], bool]) -> None:
        synced, now = self._entries.get(folder, {}), _entries_of(folder)
        for name in sorted(synced.keys() | now.keys()):
            was, found = synced.get(name), now.get(name)
            if was != found and not survives():
                _remove(folder / name)
                if was is not None:
                    os.link(self._shadow / str(was), folder / name)
            elif found is not None and found != FOLDER and not (self._shadow / str(found)).exists():
                os.truncate(folder / name, 0)
        for name, found in _entries_of(folder).items():
            if found == FOLDER:
                self._restore(folder / name, survives)

    def _keep(self, file: Path) -> None:
        """By a link, which keeps the inode from being used again; nothing names a file that is deleted by now."""
        with suppress(FileExistsError, FileNotFoundError):
            os.link(file, self._shadow / str(file.lstat().st_ino))

    def _copy_catalog(self) -> None:
        for file in self._catalog_files(self._shadow):
            file.unlink()
        for file in self._catalog_files(self._catalog.parent):
            shutil.copy2(file, self._shadow)

    def _catalog_files(self, folder: Path) -> list[Path]:
        """The database and its log."""
        return [path for end in ("", "-wal") if (path := folder / f"{self._catalog.name}{end}").exists()]


def _entries_of(folder: Path) -> dict[str, int]:
    with os.scandir(folder) as entries:
        return {entry.name: FOLDER if entry.is_dir() else entry.inode() for entry in entries}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
