"""Has the rows of parity written by the workers of the devices that take them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from producer.catalog.catalog import Catalog
from producer.catalog.tables.doomed import DoomedObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.copying import Copied
from producer.pool.members import Member
from producer.pool.parity.grouping import ParityPlan, RowToWrite
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import Reason
from tasks.groups import DeviceAt, GroupMember
from tasks.orders import Order
from tasks.orders.parity import MakeParity
from tasks.receipts import Receipt


def write_parity(session: RunSession, members: Mapping[str, Member], plan: ParityPlan) -> Copied:
    """Record the new groups, write all rows, then let go of the groups that are replaced.

    The record survives a power cut, because nobody would delete the file of an unknown group.  Idempotent.  Rows that
    fail are named in the result; their groups stay recorded without them.
    Raises InterruptedRun.
    """
    catalog = session.catalog
    with catalog.durable_transaction():
        catalog.parity.add(plan.new)
        for one in plan.rows:
            if one.moved:
                if one.group.rows[one.number].device_id:
                    catalog.doomed.add([_doomed(one.group, one.number)])
                catalog.parity.move_row(one.group.group_id, one.number, one.target.device_id)
            catalog.doomed.remove(one.target.device_id, [one.group.group_id])
    copied = _write_rows(session, members, plan.rows)
    if copied.made_count == len(plan.rows):
        let_go(catalog, plan.replaced)
    return copied


def let_go(catalog: Catalog, groups: Sequence[ParityGroup]) -> None:
    """Forget the groups; the next prune deletes their rows."""
    with catalog.transaction():
        for group in groups:
            catalog.doomed.add(doomed_rows(group))
            catalog.parity.remove(group.group_id)


def doomed_rows(group: ParityGroup) -> list[DoomedObject]:
    """What the devices are to delete of the group."""
    return [_doomed(group, number) for number, row in enumerate(group.rows) if row.device_id]


def _doomed(group: ParityGroup, number: int) -> DoomedObject:
    row = group.rows[number]
    return DoomedObject(device_id=row.device_id, object_id=group.group_id, bytes_stored=row.bytes_stored)


def _write_rows(session: RunSession, members: Mapping[str, Member], rows: Sequence[RowToWrite]) -> Copied:
    by_target: defaultdict[str, list[RowToWrite]] = defaultdict(list)
    for one in rows:
        by_target[one.target.name].append(one)
    devices = tuple(DeviceAt(name=one.name, device_id=one.device_id) for one in members.values())
    asked: dict[str, RowToWrite] = {}
    copied = Copied()

    def orders(name: str) -> Iterator[Order]:
        for one in by_target[name]:
            order = _order(session, members[name], one, devices)
            asked[order.order_id] = one
            yield order

    def take(order: Order, receipt: Receipt) -> None:
        one = asked.pop(order.order_id)
        if receipt.failure is None:
            copied.made_count += 1
            copied.bytes_count += receipt.result.stored_bytes
            copied.rows_counts[order.device] += 1
            copied.rows_bytes[order.device] += receipt.result.stored_bytes
            digest = bytes.fromhex(receipt.result.digest)
            session.catalog.parity.set_row(one.group.group_id, one.number, receipt.result.stored_bytes, digest)
            return
        copied.failures[receipt.failure.message] = None
        if receipt.failure.reason is Reason.FULL:
            copied.full[order.device] = receipt.failure.message

    copied.died = run_wave(session, {name: orders(name) for name in by_target}, take)
    copied.failures |= {f"device {name}: {why}": None for name, why in copied.died.items()}
    return copied


def _order(session: RunSession, member: Member, one: RowToWrite, devices: tuple[DeviceAt, ...]) -> MakeParity:
    return MakeParity(
        order_id=uuid.uuid4().hex,
        group_id=one.group.group_id,
        row=one.number,
        rows_count=len(one.group.rows),
        members=tuple(
            GroupMember(
                object_id=found.object_id,
                stored_bytes=found.bytes_stored,
                trailer_digest=found.trailer_digest.hex(),
            )
            for found in one.group.members
        ),
        devices=devices,
        **session.order_fields(member.name, device_id=member.device_id, epoch=member.epoch),
    )
