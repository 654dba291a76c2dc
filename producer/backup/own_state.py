"""segfleet's own files inside a source, such as a home folder: they change while they are read.

The broker, the locks and the logs are left out: they mean nothing without the processes that use them.  For the
catalog a copy goes in, made before the walk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from producer.catalog.database.copy import catalog_file, copy_catalog, files_beside
from producer.observer import Observer
from producer.requests import BackupRequest
from producer.run.environment import Environment
from producer.run.kept_out import is_kept_out
from tasks.errors import CatalogError

#: Folders, of the state folder or where its work is done, that belong to running processes.
_FOLDERS = ("broker", "duties", "known", "locks", "logs", "managers", "readers", "spool")


def own_files(request: BackupRequest, environment: Environment) -> frozenset[Path]:
    """What the walk of this request leaves out; most of it lies in no source."""
    state, catalog = environment.state, _catalog_of(environment)
    folders = {os.path.realpath(folder) for folder in (state.path, state.broker_dir.parent)}
    found = {Path(folder, name) for folder in folders for name in _FOLDERS}
    if catalog is not None:
        found |= files_beside(catalog)
        found |= set(catalog.parent.glob(f"{catalog.name}.*.copy")) - {_copy_of(catalog, request)}
    return frozenset(found)


@contextmanager
def with_catalog_copied(
    request: BackupRequest, environment: Environment, observer: Observer, *, is_first: bool
) -> Iterator[None]:
    """Inside the block a copy of the catalog lies beside it, if it is inside a source of the request.

    ``is_first``: the first backup of the volume says so.
    """
    catalog = _catalog_of(environment)
    if catalog is None or not _is_wanted(catalog, request):
        yield
        return
    copy = _copy_of(catalog, request)
    if is_first:
        observer.note(f"of segfleet's own files in {catalog.parent} only the catalog is stored, as {copy.name}")
    try:
        copy_catalog(catalog, copy)
    except CatalogError as error:
        observer.note(f"{error}; it is left out")
    try:
        yield
    finally:
        copy.unlink(missing_ok=True)


def _catalog_of(environment: Environment) -> Path | None:
    catalog = catalog_file(environment.catalog)
    return Path(os.path.realpath(catalog)) if catalog is not None else None


def _copy_of(catalog: Path, request: BackupRequest) -> Path:
    """A name of its own for each copy: backups of several volumes may run at once."""
    return catalog.with_name(f"{catalog.name}.{request.volume}.copy")


def _is_wanted(catalog: Path, request: BackupRequest) -> bool:
    return any(
        catalog.is_relative_to(source.path) and not is_kept_out(source, catalog.parent, request.exclusions)
        for source in request.sources
        if source.mode == "files" and catalog != source.path
    )
