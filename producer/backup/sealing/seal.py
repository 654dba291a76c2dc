"""Seals a snapshot: its manifest goes to every live device, the head last; then the catalog says so.

The head commits.  From a device that has it the snapshot can be restored without the catalog.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from blake3 import blake3
from msgspec import Struct

from producer.backup.sealing.files_for_all import files_for_all
from producer.backup.sealing.record_tree import record_tree
from producer.catalog.known_parts import KnownPart
from producer.catalog.tables.snapshots.marks import MarkedRow
from producer.catalog.tables.snapshots.rows import LackRow, SnapshotRow
from producer.listing.reader import Batches
from producer.manifest import ManifestDevice, ManifestPart, encode_head, head_name
from producer.observer import Trouble
from producer.pool.manifests.manifest_files import (
    index_rows,
    manifest_devices,
    manifest_files,
    manifest_head,
)
from producer.pool.manifests.marks import marks_for, record_marks
from producer.pool.members import Member
from producer.requests import PlanOptions
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import DeviceError, Reason
from tasks.generations import Generation, encode_generation, generation_name
from tasks.orders import Order, PutManifest
from tasks.receipts import Failure, Receipt

#: A part is up to 4 MiB: few of them at a time keep the broker small.
_WINDOW_COUNT = 4


class SealedParts(Struct, frozen=True, kw_only=True):
    """The manifest's parts are on the devices; the head is still to come."""

    devices: tuple[ManifestDevice, ...]
    parts: tuple[ManifestPart, ...]
    #: Who has all of them.
    taken: list[Member]


def seal(
    session: RunSession,
    snapshot: SnapshotRow,
    options: PlanOptions,
    members: Mapping[str, Member],
    lacks: Sequence[LackRow] = (),
) -> None:
    """Write the manifest to the live devices, then seal the snapshot.

    A device that dies or refuses is reported as a trouble; the others suffice.  Raises DeviceError when none takes it.
    Repeating it writes the same parts again.
    """
    commit(session, snapshot, options, write_parts(session, snapshot, members), lacks)


def write_parts(
    session: RunSession,
    snapshot: SnapshotRow,
    members: Mapping[str, Member],
    known: Sequence[KnownPart] = (),
    differing: Batches | None = None,
) -> SealedParts:
    """Make the tree, and write all of the manifest but its head to the live devices.  Those that fail are lost.

    ``known``, ``differing``: as for :func:`record_tree`.
    """
    catalog = session.catalog
    record_tree(catalog, snapshot, members, known, differing)
    live = [member for member in members.values() if member.is_live]
    rows = index_rows(catalog, snapshot, {member.device_id for member in live})
    devices = manifest_devices(catalog, rows, {member.device_id: member.name for member in members.values()})
    index = {device.device_id: place for place, device in enumerate(devices)}
    parts, files = files_for_all(lambda: manifest_files(catalog, snapshot, rows, index))

    def part_orders(member: Member) -> Iterator[Order]:
        return (_put(session, member, file.part.name, file.data) for file in files())

    return SealedParts(devices=devices, parts=parts, taken=_write(session, live, part_orders))


def commit(
    session: RunSession,
    snapshot: SnapshotRow,
    options: PlanOptions,
    written: SealedParts,
    lacks: Sequence[LackRow] = (),
) -> None:
    """Write the head to the devices that have the parts, then seal the snapshot.

    ``lacks``: what cannot be restored now.  Raises DeviceError when no device takes the head, CatalogError for a
    snapshot that has a segment which is not stored.
    """
    sealed_at = datetime.now(UTC)
    # The head commits, on the devices: not for a snapshot that lacks a segment, nor over the head of another run that
    # has taken the locks.
    stored = session.catalog.snapshots.confirm_complete(snapshot.snapshot_id)
    head = manifest_head(snapshot, options, written.devices, written.parts, lacks, stored, sealed_at)
    data = encode_head(head)
    generation = session.catalog.generations.raise_()
    name, marked = head_name(snapshot.snapshot_id), session.catalog.marks.unwritten(snapshot.pool_id)
    taken = _write(
        session,
        written.taken,
        lambda member: [
            *_generation(session, member, generation),
            *_marks(session, member, marked),
            _put(session, member, name, data),
        ],
    )
    if not taken:
        raise DeviceError(
            "no device took the manifest", hint="the segments are stored; run the same command again to seal them"
        )
    holders = [member.device_id for member in taken]
    session.catalog.snapshots.seal(snapshot.snapshot_id, sealed_at, blake3(data).digest(), lacks, holders=holders)
    record_marks(session.catalog, marked, [member.device_id for member in taken if not member.is_ahead])


def _write(
    session: RunSession, members: Iterable[Member], orders_for: Callable[[Member], Iterable[Order]]
) -> list[Member]:
    """Send each device its orders, twice if it fails one; those that fail again are lost.  Returns the others."""
    left = list(members)
    failures = _send(session, {member.name: orders_for(member) for member in left})
    again = [member for member in left if member.name in failures and member.name in session.courier.live]
    if again:
        failures = {name: why for name, why in failures.items() if name not in session.courier.live}
        failures |= _send(session, {member.name: orders_for(member) for member in again})
    for member in left:
        if member.name in failures:
            _lose(session, member, failures[member.name])
    return [member for member in left if member.name not in failures]


def _send(session: RunSession, orders: Mapping[str, Iterable[Order]]) -> dict[str, Failure]:
    """Send the orders; returns the devices that did not carry out all of theirs, and why."""
    failures: dict[str, Failure] = {}

    def note(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            failures[order.device] = receipt.failure

    died = run_wave(session, orders, note, window_count=_WINDOW_COUNT)
    return failures | {
        name: Failure(reason=Reason.DEVICE, code=DeviceError.code, message=why) for name, why in died.items()
    }


def _lose(session: RunSession, member: Member, failure: Failure) -> None:
    member.state = "full" if failure.reason is Reason.FULL else "dead"
    member.is_readable = member.state == "full"
    session.catalog.devices.set_state(member.device_id, member.state, failure.message)
    message = f"device {member.name} is {member.state}, and has no manifest of this snapshot: {failure.message}"
    session.observer.trouble(Trouble(code="manifest", message=message))


def _generation(session: RunSession, member: Member, generation: Generation) -> list[Order]:
    """The order to write the generation; none for a device that a later copy of the catalog has changed."""
    if member.is_ahead:
        return []
    return [_put(session, member, generation_name(generation.catalog_id), encode_generation(generation))]


def _marks(session: RunSession, member: Member, marked: Sequence[MarkedRow]) -> list[Order]:
    """The orders to write the marks; none for such a device: this catalog does not know what was decided last."""
    if member.is_ahead:
        return []
    files = marks_for(marked, member.device_id, session.catalog.generations.catalog_id)
    return [_put(session, member, name, data) for name, data in files.items()]


def _put(session: RunSession, member: Member, name: str, data: bytes) -> PutManifest:
    return PutManifest(
        order_id=uuid.uuid4().hex,
        name=name,
        data=data,
        digest=blake3(data).hexdigest(),
        **session.order_fields(member.name, device_id=member.device_id, epoch=member.epoch),
    )
