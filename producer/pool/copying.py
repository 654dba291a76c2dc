"""Has objects copied from device to device by the workers of those that take them."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from producer.pool.copies import Copying
from producer.pool.members import Member
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import OutOfReachError, Reason
from tasks.orders import Order
from tasks.orders.copying import CopyObject
from tasks.receipts import Receipt


class Copied(Struct, kw_only=True):
    made_count: int = 0
    bytes_count: int = 0
    #: Rows of parity that were written on each device, by name.
    rows_counts: Counter[str] = field(default_factory=Counter)
    rows_bytes: Counter[str] = field(default_factory=Counter)
    #: Devices that take no more: name → why.
    full: dict[str, str] = field(default_factory=dict)
    died: dict[str, str] = field(default_factory=dict)
    #: Why copies were not made, each reason once.
    failures: dict[str, None] = field(default_factory=dict)
    #: The copies among them for which the target's worker cannot reach the other device, as on another host.
    out_of_reach: defaultdict[str, list[Copying]] = field(default_factory=lambda: defaultdict(list))

    def add_rows(self, other: Copied) -> None:
        """The rows of parity that were written by another wave, and what went wrong there."""
        self.rows_counts += other.rows_counts
        self.rows_bytes += other.rows_bytes
        self.failures |= other.failures

    def joined(self, later: Copied) -> Copied:
        """This result, with that of the copies that were out of reach and were then made in another way."""
        return Copied(
            made_count=self.made_count + later.made_count,
            full=self.full | later.full,
            died=self.died | later.died,
            failures={why: None for why in self.failures if why not in self.out_of_reach} | later.failures,
        )


def copy_objects(
    session: RunSession,
    members: Mapping[str, Member],
    copyings: Sequence[Copying],
    on_made: Callable[[Copying, Member], None],
) -> Copied:
    """Make the copies, all targets at once; ``on_made`` is called for each, on the run's thread.

    Idempotent.  Copies that fail are left out, and named in the result.  Raises InterruptedRun.
    """
    by_target: defaultdict[str, list[Copying]] = defaultdict(list)
    for one in copyings:
        by_target[one.target.name].append(one)
    names = {member.device_id: member.name for member in members.values()}
    asked: dict[str, Copying] = {}
    copied = Copied()

    def orders(name: str) -> Iterator[Order]:
        for one in by_target[name]:
            order = _order(session, members[name], one, names.get(one.object.device_id, name))
            asked[order.order_id] = one
            yield order

    def take(order: Order, receipt: Receipt) -> None:
        one = asked.pop(order.order_id)
        if receipt.failure is None:
            copied.made_count += 1
            on_made(one, members[order.device])
            return
        copied.failures[receipt.failure.message] = None
        if receipt.failure.code == OutOfReachError.code:
            copied.out_of_reach[receipt.failure.message].append(one)
        if receipt.failure.reason is Reason.FULL:
            copied.full[order.device] = receipt.failure.message

    copied.died = run_wave(session, {name: orders(name) for name in by_target}, take)
    copied.failures |= {f"device {name}: {why}": None for name, why in copied.died.items()}
    return copied


def _order(session: RunSession, member: Member, one: Copying, origin: str) -> CopyObject:
    return CopyObject(
        order_id=uuid.uuid4().hex,
        object_id=one.object.object_id,
        from_device=origin,
        from_device_id=one.object.device_id,
        stored_bytes=one.object.bytes_stored,
        group=one.group,
        trailer_digest=one.object.proof,
        **session.order_fields(member.name, device_id=member.device_id, epoch=member.epoch),
    )
