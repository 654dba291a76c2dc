"""Objects that a device no longer has: it was emptied, or an older copy of it stands in its place."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from producer.catalog.tables.objects import StoredObject
from producer.pool.members import Member
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order, VerifySegments
from tasks.receipts import Receipt

#: A worker looks at some 10,000 a second.
_OBJECTS_COUNT = 1024


def find_missing(
    session: RunSession, rows: Iterable[StoredObject], members: Mapping[str, Member]
) -> tuple[set[tuple[str, str]], dict[str, str]]:
    """The keys of the objects that are missing on devices that are there, and device → why it could not answer.

    Looks only for each file and its size.  Nothing is known about the objects of a device that could not answer.
    """
    by_device = _by_device(rows, members)
    missing: set[tuple[str, str]] = set()
    failed: dict[str, str] = {}

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            failed[order.device] = receipt.failure.message
        else:
            missing.update((finding.object_id, order.device_id) for finding in receipt.result.findings)

    for device in by_device.keys() - set(session.courier.live):
        # A full device no longer has a worker.
        session.courier.bring_back(device)
    died = run_wave(session, {name: _orders(session, members[name], found) for name, found in by_device.items()}, take)
    for device in by_device:
        if members[device].state == "full":
            session.courier.drop(device)
    return missing, died | failed


def _by_device(rows: Iterable[StoredObject], members: Mapping[str, Member]) -> dict[str, list[StoredObject]]:
    names = {one.device_id: one.name for one in members.values() if one.state in ("live", "full", "read-only")}
    found: defaultdict[str, list[StoredObject]] = defaultdict(list)
    for row in rows:
        if row.device_id in names:
            found[names[row.device_id]].append(row)
    return dict(found)


def _orders(session: RunSession, member: Member, rows: list[StoredObject]) -> Iterator[VerifySegments]:
    for start in range(0, len(rows), _OBJECTS_COUNT):
        batch = rows[start : start + _OBJECTS_COUNT]
        yield VerifySegments(
            order_id=uuid.uuid4().hex,
            object_ids=tuple(row.object_id for row in batch),
            stored_bytes=tuple(row.bytes_stored for row in batch),
            trailer_digests=tuple(row.proof for row in batch),
            read_data=False,
            only_size=True,
            **session.order_fields(member.name, device_id=member.device_id, epoch=member.epoch),
        )
