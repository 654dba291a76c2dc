"""Has the devices' workers write what is needed of objects as new objects, on as many devices as hold the old ones."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from msgspec import Struct, field
from msgspec.structs import replace

from producer.catalog.tables.objects import StoredObject
from producer.listing.places.stored_ranges import bytes_in
from producer.pool.copies import Copying
from producer.pool.copying import copy_objects
from producer.pool.members import Member
from producer.retention.pruning.repacking.selection import Candidate, Repack
from producer.run.session import RunSession
from producer.run.threads import default_threads
from producer.run.wave import run_wave
from tasks.errors import OutOfReachError
from tasks.orders import Order
from tasks.orders.repacking import RepackObject, RepackResult
from tasks.receipts import Receipt


class Written(Struct, kw_only=True):
    """What has come of a batch: each repack with its new objects, as they will stand in the index."""

    done: list[tuple[Repack, tuple[StoredObject, ...]]] = field(default_factory=list)
    #: Of repacks that could not be finished; nobody needs them.
    left_over: list[StoredObject] = field(default_factory=list)
    #: What failed because a device's worker does not reach another device.
    not_reached: list[Candidate] = field(default_factory=list)
    failures: dict[str, None] = field(default_factory=dict)


class Writing:
    """One batch.  ``on_bytes`` gets stored bytes as they are there."""

    def __init__(
        self,
        session: RunSession,
        members: Mapping[str, Member],
        heir: str,
        unreachable: set[tuple[str, str]],
        on_bytes: Callable[[int], None],
    ) -> None:
        """``members``: by name; ``heir``: the snapshot whose index will bring the new objects to the devices.

        ``unreachable``: device of an object, and device whose worker does not reach it; what is found out is added.
        """
        self._session = session
        self._members = members
        self._names = {member.device_id: member.name for member in members.values()}
        self._heir = heir
        self._unreachable = unreachable
        self._on_bytes = on_bytes
        self._written = Written()
        #: By the id of the new object.
        self._repacks: dict[str, Repack] = {}
        self._made: defaultdict[str, list[StoredObject]] = defaultdict(list)

    def run(self, batch: Sequence[Repack]) -> Written:
        """Raises InterruptedRun."""
        self._repacks = {uuid.uuid4().hex: repack for repack in batch if repack.targets}
        self._write_first()
        self._copy_to_others()
        for object_id, repack in self._repacks.items():
            made = self._made[object_id]
            if len(made) == len(repack.targets):
                self._written.done.append((repack, tuple(made)))
            else:
                self._written.left_over += made
        self._written.done += [(repack, ()) for repack in batch if not repack.targets]
        return self._written

    def _write_first(self) -> None:
        orders: defaultdict[str, list[RepackObject]] = defaultdict(list)
        for object_id, repack in self._repacks.items():
            order = self._order(object_id, repack)
            orders[order.device].append(order)
        died = run_wave(self._session, orders, self._take)
        self._written.failures |= {f"device {name}: {why}": None for name, why in died.items()}

    def _take(self, order: Order, receipt: Receipt) -> None:
        assert isinstance(order, RepackObject)
        if receipt.failure is not None:
            if receipt.failure.code == OutOfReachError.code:
                self._unreachable.add((order.from_device_id, order.device_id))
                self._written.not_reached.append(self._repacks[order.object_id].candidate)
            else:
                self._written.failures[receipt.failure.message] = None
            return
        result = receipt.result
        assert isinstance(result, RepackResult)
        new = StoredObject(
            object_id=order.object_id,
            segment_id=order.segment_id,
            device_id=order.device_id,
            device=order.device,
            snapshot_id=self._heir,
            size_bytes=bytes_in(order.ranges),
            bytes_stored=result.bytes_stored,
            trailer_digest=bytes.fromhex(result.trailer_digest),
            parts=order.ranges,
        )
        self._add(new)

    def _copy_to_others(self) -> None:
        copyings = [
            Copying(object=first, target=target)
            for object_id, made in self._made.items()
            for first in made[:1]
            for target in self._repacks[object_id].targets[1:]
        ]
        if not copyings:
            return

        def on_made(one: Copying, member: Member) -> None:
            self._add(replace(one.object, device_id=member.device_id, device=member.name))

        copied = copy_objects(self._session, self._members, copyings, on_made)
        for one in chain.from_iterable(copied.out_of_reach.values()):
            self._unreachable.add((one.object.device_id, one.target.device_id))
            self._written.not_reached.append(self._repacks[one.object.object_id].candidate)
        self._written.failures |= {why: None for why in copied.failures if why not in copied.out_of_reach}

    def _add(self, new: StoredObject) -> None:
        self._made[new.object_id].append(new)
        self._on_bytes(new.bytes_stored)

    def _order(self, object_id: str, repack: Repack) -> RepackObject:
        member, old = self._members[repack.targets[0].name], self._origin(repack)
        return RepackObject(
            order_id=uuid.uuid4().hex,
            segment_id=old.segment_id,
            object_id=object_id,
            snapshot_id=self._heir,
            ranges=tuple(repack.candidate.living),
            from_object_id=old.object_id,
            from_device=self._names[old.device_id],
            from_device_id=old.device_id,
            stored_bytes=old.bytes_stored,
            trailer_digest=old.proof,
            threads=default_threads(len(self._members)),
            **self._session.order_fields(member.name, device_id=member.device_id, epoch=member.epoch),
        )

    def _origin(self, repack: Repack) -> StoredObject:
        """The copy on the target itself if there is one, else one without damage that it reaches."""
        target_id = repack.targets[0].device_id
        sound = [one for one in repack.candidate.copies if not one.is_damaged]
        return min(sound, key=lambda one: (one.device_id != target_id, (one.device_id, target_id) in self._unreachable))
