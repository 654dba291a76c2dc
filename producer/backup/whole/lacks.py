"""What a snapshot lacks at its seal: what lies on devices that are gone, and what no device has stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct, field

from producer.backup.storing.state.state import BackupState
from producer.backup.whole.lost_holdings import borrowed_out_of_reach, is_unreadable, lying_on, missing
from producer.catalog.catalog import Catalog
from producer.catalog.holders import lacking
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import LackRow
from producer.configuration.values.sizes import format_size
from producer.observer import Trouble
from producer.pool.holdings import Lacking, bytes_in, paths_in
from producer.pool.parity.group_reads import GroupReads
from producer.run.session import RunSession


class Lack(Struct, frozen=True, kw_only=True):
    """What a snapshot lacks while one device is away."""

    row: LackRow
    #: The files of which the device holds something, where they are on the source; without those of ``omitted_paths``.
    paths: tuple[str, ...]
    #: The files of which something is on no device.
    omitted_paths: tuple[str, ...]
    #: It lies on a rotating device, which may be away.
    is_expected: bool


class _Rows(Struct):
    """The segments that one device holds, and those that it was to store."""

    lying: list[SegmentRow | Lacking] = field(default_factory=list)
    omitted: list[SegmentRow | Lacking] = field(default_factory=list)


def omit_left_over(catalog: Catalog, state: BackupState) -> None:
    """Leave out of the snapshot what has waited for a dead device in vain."""
    catalog.transitions.drop_healing(state.snapshot_id)
    catalog.transitions.omit(state.snapshot_id, [row.number for row in state.left_over()])


def record_away(catalog: Catalog, state: BackupState, lacks: Iterable[Lack]) -> None:
    """A device that the backup needs and did not name is away, as far as anybody knows."""
    known = {row.device_id: row for row in catalog.devices.all()}
    members = {member.device_id for member in state.members.values()}
    for device_id in {lack.row.device_id for lack in lacks} - members:
        if device_id in known and known[device_id].state in ("live", "full", "read-only"):
            catalog.devices.set_state(device_id, "absent", "the last backup that needs it did not name it")


def find_lacks(catalog: Catalog, state: BackupState) -> list[Lack]:
    """What cannot be restored now, by device."""
    found: defaultdict[str, _Rows] = defaultdict(_Rows)
    made = _ByParity(catalog, state)
    for row in lying_on(catalog, state, is_unreadable):
        assert row.device_id is not None
        if not made.has(row.segment_id):
            found[row.device_id].lying.append(row)
    away, gone = borrowed_out_of_reach(state)
    for one in away:
        if not made.has(one.segment_id):
            found[one.device_id].lying.append(one)
    for row in [*catalog.segments.omitted(state.snapshot_id), *missing(catalog, state)]:
        found[row.device_id or state.members[row.device].device_id].omitted.append(row)
    for one in gone:
        found[one.device_id].omitted.append(one)
    devices = {device.device_id: device for device in catalog.devices.all()}
    lacks = [
        _lack(catalog, state.snapshot_id, device_id, devices.get(device_id), rows) for device_id, rows in found.items()
    ]
    # Of the segments that files were compared with, some hold nothing that the snapshot needs.
    return [lack for lack in lacks if lack.row.files_count]


class _ByParity:
    """What can be restored without the devices that are gone, by parity."""

    def __init__(self, catalog: Catalog, state: BackupState) -> None:
        self._catalog = catalog
        self._groups = GroupReads(catalog)
        self._readable = {one.device_id for one in state.members.values() if not is_unreadable(one)}

    def has(self, segment_id: str) -> bool:
        if not self._groups:
            return False
        index = self._catalog.objects.of([segment_id])
        return bool(index) and not lacking(index, self._is_out_of_reach)

    def _is_out_of_reach(self, one: StoredObject) -> bool:
        is_there = one.device_id in self._readable and not one.is_damaged
        return not is_there and not self._groups.can_read(one, self._readable)


def _lack(catalog: Catalog, snapshot_id: str, device_id: str, device: DeviceRow | None, rows: _Rows) -> Lack:
    omitted = paths_in(catalog, snapshot_id, rows.omitted)
    lying = {entry: path for entry, path in paths_in(catalog, snapshot_id, rows.lying).items() if entry not in omitted}
    omitted_bytes = bytes_in(catalog, snapshot_id, rows.omitted)
    row = LackRow(
        device_id=device_id,
        device=device.name if device is not None else (rows.lying or rows.omitted)[0].device,
        files_count=len(lying) + len(omitted),
        size_bytes=bytes_in(catalog, snapshot_id, rows.lying) + omitted_bytes,
        omitted_files_count=len(omitted),
        omitted_bytes=omitted_bytes,
    )
    return Lack(
        row=row,
        paths=tuple(lying.values()),
        omitted_paths=tuple(omitted.values()),
        is_expected=device is not None and device.is_expected_away and not omitted,
    )


def tell_lacks(session: RunSession, snapshot_id: str, lacks: list[Lack]) -> None:
    """Name each device and each file, but for those of rotating devices, which are only counted."""
    for lack in lacks:
        row = lack.row
        if lack.is_expected:
            session.observer.note(
                f"{row.files_count} files, {format_size(row.size_bytes)} of this snapshot lie on rotating "
                f"device {row.device}, and can be restored when it is there"
            )
            continue
        _tell_summary(session, row)
        away = f"it lies on device {row.device}, which is away"
        gone = f"all or part of it is on no device: device {row.device} failed, and the others have no room"
        for path, message in (*((path, away) for path in lack.paths), *((path, gone) for path in lack.omitted_paths)):
            session.observer.trouble(
                Trouble(code="incomplete", message=message, path=path, snapshot_id=snapshot_id, device=row.device)
            )


def _tell_summary(session: RunSession, row: LackRow) -> None:
    files_count, size_bytes = row.files_count - row.omitted_files_count, row.size_bytes - row.omitted_bytes
    if files_count:
        message = (
            f"device {row.device} is away: {files_count} files, {format_size(size_bytes)} of this snapshot lie there, "
            "and cannot be restored until it is back"
        )
        session.observer.trouble(Trouble(code="incomplete", message=message))
    if row.omitted_files_count:
        message = (
            f"device {row.device} failed, and the other devices have no room for its work: {row.omitted_files_count} "
            f"files, {format_size(row.omitted_bytes)} of this snapshot are on no device; back up again when there is "
            "room"
        )
        session.observer.trouble(Trouble(code="incomplete", message=message))
