"""What this snapshot has on devices that are gone: stored again on those that are there, as long as they have room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from producer.backup.storing.least_filled import least_filled_with_room
from producer.backup.storing.state import BackupState
from producer.backup.storing.storing import Storing
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import LackRow
from producer.configuration.sizes import format_size
from producer.observer import Trouble
from producer.pool.holdings import paths_in
from producer.pool.members import Member
from producer.run.session import RunSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Lack:
    """What a snapshot lacks while one device is away."""

    row: LackRow
    #: Of the files, where they are on the source.
    paths: tuple[str, ...]


def store_lost_again(session: RunSession, state: BackupState, storing: Storing, store_all: Callable[[], None]) -> bool:
    """Ask all devices once more; store again, by ``store_all``, what lies on those that are gone.

    True when something was stored again.  Raises as ``store_all``.
    """
    storing.confirm()
    rows = state.lying_on(_is_gone)
    targets = least_filled_with_room(session.catalog, state, rows)
    if not targets:
        return False
    names = ", ".join(sorted({row.device for row in rows if row.number in targets}))
    session.observer.note(f"{len(targets)} segments on {names}, which is gone, are stored again on other devices")
    state.store_again(rows, targets)
    store_all()
    return True


def find_lacks(catalog: Catalog, state: BackupState) -> list[Lack]:
    """What cannot be restored now, by device."""
    rows: defaultdict[str, list[SegmentRow]] = defaultdict(list)
    for row in state.lying_on(_is_unreadable):
        assert row.device_id is not None
        rows[row.device_id].append(row)
    devices = {device.device_id: device for device in catalog.devices.all()}
    found = []
    for device_id, lost in rows.items():
        paths = paths_in(catalog, state.snapshot_id, lost)
        device = devices.get(device_id)
        lack = LackRow(
            device_id=device_id,
            device=device.name if device is not None else lost[0].device,
            files_count=len(paths),
            size_bytes=sum(one.size_bytes for one in lost),
        )
        found.append(Lack(row=lack, paths=paths))
    return found


def tell_lacks(session: RunSession, lacks: list[Lack]) -> None:
    """Name each device and each file."""
    for lack in lacks:
        row = lack.row
        message = (
            f"device {row.device} is away, and the other devices have no room for what it holds: {row.files_count} "
            f"files, {format_size(row.size_bytes)} of this snapshot cannot be restored until it is back"
        )
        session.observer.trouble(Trouble(code="incomplete", message=message))
        for path in lack.paths:
            message = f"it lies on device {row.device}, which is away"
            session.observer.trouble(Trouble(code="incomplete", message=message, path=path))


def _is_gone(member: Member | None) -> bool:
    """A full device keeps what it has."""
    return member is None or member.state not in ("live", "full")


def _is_unreadable(member: Member | None) -> bool:
    """A device that became read-only is lost to the run, and still there for a restore."""
    return _is_gone(member) and not (member is not None and member.is_readable)
