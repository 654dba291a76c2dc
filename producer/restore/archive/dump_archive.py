"""A dump of a folder, or of a whole snapshot: as an archive to an open file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from msgspec import Struct

from producer.observer import Observer, Trouble
from producer.pool.manifests.unknown_snapshots import find_snapshot
from producer.pool.present import present_devices
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.restore.archive.ahead import Ahead
from producer.restore.archive.members import Members
from producer.restore.archive.tar import TarArchive
from producer.restore.archive.zip import ZipArchive
from producer.restore.reading.fetches import Fetches
from producer.restore.reading.ways import Spool
from producer.restore.reading.without_holes import Out
from producer.run.environment import Environment
from producer.run.session import RunNeeds, RunSession, open_session
from producer.run.threads import default_threads


class ArchiveSummary(Struct, frozen=True, kw_only=True):
    members_count: int
    #: Members that were left out, or have zeros for lost bytes; each was reported to the observer.
    lost_count: int
    #: What the format cannot hold → how many entries have it.
    not_kept: dict[str, int]


def dump_archive(
    request: RestoreRequest, out: Out, observer: Observer, environment: Environment, *, as_zip: bool
) -> ArchiveSummary:
    """Write everything at and below ``request.path`` ("": the whole snapshot) to ``out``, while it is read.

    A file is left out when a loss is known before its first byte; bytes that turn out to be lost later are zeros.  Both
    are reported to the observer, with the file's path, and so is what the backup could not take.

    Raises UsageError when there is nothing at the path, and what opening a session raises.
    """
    with (
        tempfile.TemporaryDirectory(prefix="segfleet-dump-") as spool,
        open_session(
            RunNeeds(devices=request.devices, targets={UNNAMED_TARGET: Path(spool)}, purpose="dump"),
            observer,
            environment,
        ) as session,
    ):
        return _write(session, request, Path(spool), out, as_zip=as_zip)


def _write(session: RunSession, request: RestoreRequest, spool: Path, out: Out, *, as_zip: bool) -> ArchiveSummary:
    snapshot = find_snapshot(session, request.snapshot)
    session.begin_reading([snapshot.snapshot_id])
    threads = request.threads or default_threads(len(request.devices))
    fetches = Fetches(session, present_devices(session, [snapshot]), Spool(spool, threads=threads))
    members = Members(session.catalog, snapshot, request.path, copies=as_zip, present=fetches.present)
    archive = ZipArchive(out) if as_zip else TarArchive(out, snapshot.owner_names)
    members_count = lost_count = 0
    for path, why in members.untaken():
        lost_count += _report(session, path, f"not in the backup: {why}")
    for member, data in Ahead(members, fetches, snapshot.unit_bytes):
        session.interrupt.check()
        if not member.why_lost:
            archive.add(member, data)
            members_count += 1
        why_lost = member.why_lost and f"not in the archive: {member.why_lost}"
        why_lost = why_lost or (data.why_lost and f"zeros in the archive for bytes that are lost: {data.why_lost}")
        if why_lost:
            lost_count += _report(session, member.entry.snapshot_path, why_lost)
    archive.finish()
    return ArchiveSummary(members_count=members_count, lost_count=lost_count, not_kept=archive.not_kept())


def _report(session: RunSession, path: str, why: str) -> int:
    session.observer.trouble(Trouble(code="damaged", message=why, path=path))
    return 1
