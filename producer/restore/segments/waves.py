"""The waves of a restore that bring the data of segments."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping

from producer.catalog.holders import Holder
from producer.pool.parity.group_reads import GroupPlace, GroupReads
from producer.restore.orders import RestoreOrders, in_bounds
from producer.restore.outcome.outcome import Outcome
from producer.restore.planning.plan import RestorePlan
from producer.restore.segments.other_copies import OtherCopies
from producer.restore.segments.through_parity import read_by_parity
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.groups import GroupAt
from tasks.orders import Order, RestoreSegment
from tasks.receipts import Failure, Receipt, RestoreResult

#: Codes of troubles with the target, with which no other copy helps.
OF_TARGET = frozenset({"exists", "metadata", "missing", "not-kept", "unsafe-target", "unwritable"})


class SegmentWaves:
    """Asks each device for what it holds, and others for what it cannot give."""

    def __init__(self, session: RunSession, orders: RestoreOrders, outcome: Outcome, groups: GroupReads) -> None:
        self._session = session
        self._orders = orders
        self._outcome = outcome
        self._groups = groups
        self._copies = OtherCopies(session.catalog.objects, groups)
        #: Device id → name, of the devices that are there.
        self._present: Mapping[str, str] = {}
        #: Orders without a receipt; those of a device that dies are lost.
        self._unanswered: dict[str, RestoreSegment] = {}

    def run(
        self,
        plan: RestorePlan,
        present: Mapping[str, str],
        take: Callable[[Order, Receipt], None],
        on_wait: Callable[[], None],
    ) -> None:
        """What a device cannot restore is asked of others that have a copy, or made by parity, while there is any.

        ``take`` has each receipt, and calls the methods below.
        """
        self._present = present
        orders: Mapping[str, Iterator[RestoreSegment]]
        made = read_by_parity(plan, self._groups, present)
        orders = {
            name: itertools.chain(self._held(plan, device_id), self._by_parity(plan, made.get(name, ())))
            for device_id, name in present.items()
        }
        while orders:
            died = run_wave(self._session, orders, take, on_wait=on_wait)
            for device, why in died.items():
                self._ask_others(device, why, orders[device])
            orders = {name: self._noted(waiting) for name, waiting in self._copies.take_waiting().items()}
        if self._copies.by_parity:
            self._session.observer.note(
                f"{len(self._copies.by_parity)} objects were missing or damaged, and were rebuilt from parity; "
                "segfleet repair or the next backup stores them again"
            )

    def answered(self, order: RestoreSegment) -> None:
        """Call first with each receipt."""
        self._unanswered.pop(order.order_id, None)

    def done(self, order: RestoreSegment) -> None:
        """Call last with each receipt."""
        self._copies.answered(order)

    def failed(self, order: RestoreSegment, failure: Failure) -> None:
        """Ask another device for all of the order; where there is none, it is lost."""
        if not self._copies.ask(order, self._live()):
            self._outcome.lose_order(order, failure.code, failure.message)

    def asked_elsewhere(self, order: RestoreSegment, result: RestoreResult) -> set[str]:
        """The files that the device could not restore, and another is asked for."""
        of_target = {trouble.path for trouble in result.troubles if trouble.code in (*OF_TARGET, "skipped")}
        paths = {trouble.path for trouble in result.troubles if trouble.path} - of_target
        return paths if paths and self._copies.ask(order, self._live(), paths) else set()

    def _ask_others(self, died: str, why: str, unsent: Iterable[RestoreSegment]) -> None:
        unanswered = [order for order in self._unanswered.values() if order.device == died]
        for order in itertools.chain(unanswered, unsent):
            self.answered(order)
            if not self._copies.ask(order, self._live()):
                self._outcome.lose_order(order, "device-dead", f"device {died} died: {why}")

    def _noted(self, orders: Iterable[RestoreSegment]) -> Iterator[RestoreSegment]:
        for order in orders:
            self._unanswered[order.order_id] = order
            yield order

    def _live(self) -> dict[str, str]:
        return {key: name for key, name in self._present.items() if name in self._session.courier.live}

    def _held(self, plan: RestorePlan, device_id: str) -> Iterator[RestoreSegment]:
        """What one device holds."""
        for holder in plan.holders(device_id):
            yield from self._of_holder(plan, holder, device_id)

    def _by_parity(self, plan: RestorePlan, made: Iterable[tuple[Holder, GroupPlace]]) -> Iterator[RestoreSegment]:
        """What is made from groups by one device."""
        for holder, place in made:
            for order in self._of_holder(plan, holder, place.device_id, group=place.group):
                self._copies.by_parity.add(holder.object.object_id)
                yield order

    def _of_holder(
        self, plan: RestorePlan, holder: Holder, device_id: str, *, group: GroupAt | None = None
    ) -> Iterator[RestoreSegment]:
        for picks in filter(None, in_bounds(plan.picks(holder))):
            order = self._orders.segment(
                holder.object,
                picks,
                self._present[device_id],
                device_id,
                devices_count=len(self._present),
                group=group,
            )
            self._copies.note(order, holder.object)
            self._unanswered[order.order_id] = order
            yield order
