"""Remembers what a backup found unchanged, for the walk of the next one."""

from __future__ import annotations

import logging

from producer.backup.intake.intake import Intake
from producer.catalog.catalog import Catalog
from producer.host.state import StateFolder, make_private
from producer.requests import BackupRequest
from producer.walk.known import KnownDirectories, read_known, write_known
from tasks.errors import SegfleetError

log = logging.getLogger("segfleet.backup")


def remembered(request: BackupRequest, state: StateFolder) -> KnownDirectories | None:
    """What the last backup of the volume has remembered."""
    return read_known(state.known_file(request.volume))


def remember_directories(catalog: Catalog, request: BackupRequest, intake: Intake, state: StateFolder) -> None:
    """Write the known directories of a snapshot that has just been sealed; what fails costs the next walk some time."""
    if request.ignore_ctime:
        # What has just been changed could have been changed again since, in the same second.
        return
    path = state.known_file(request.volume)
    try:
        make_private(path.parent)
        write_known(path, known_directories(catalog, intake))
    except (OSError, SegfleetError) as error:
        log.info("the directories of %s are not remembered: %s", request.volume, error)


def known_directories(catalog: Catalog, intake: Intake) -> KnownDirectories:
    """Those in which all was as in the parent, and still was so when it was sealed."""
    troubled = [row.entry_index for row in catalog.troubles.all(intake.snapshot_id) if row.entry_index is not None]
    directories = {
        source: {path: one for path, one in found.items() if not one.has_any_of(troubled)}
        for source, found in intake.known_directories.items()
    }
    return KnownDirectories(snapshot_id=intake.snapshot_id, directories=directories)
