"""``--verify``: has the devices compare what stands in the target with what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from producer.catalog.holders import Holder
from producer.pool.parity.group_reads import GroupReads
from producer.restore.orders import RestoreOrders, in_bounds
from producer.restore.outcome.outcome import Outcome
from producer.restore.planning.picks import Pick
from producer.restore.planning.plan import RestorePlan
from producer.restore.segments.through_parity import read_by_parity
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.groups import GroupAt
from tasks.orders import Order, RestoreSegment
from tasks.receipts import Receipt


class Verifying:
    """``present``: device id → name.  Files that the restore has reported already are left out."""

    def __init__(
        self,
        session: RunSession,
        orders: RestoreOrders,
        outcome: Outcome,
        present: Mapping[str, str],
        groups: GroupReads,
    ) -> None:
        self._session = session
        self._orders = orders
        self._outcome = outcome
        self._present = present
        self._groups = groups
        #: Files of several segments: each counts once, unless a part of it differs.
        self._pieced: set[str] = set()
        self._differing: set[str] = set()

    def run(self, plans: Sequence[RestorePlan], on_wait: Callable[[], None]) -> None:
        orders = {name: self._of_device(plans, device_id, name) for device_id, name in self._present.items()}
        for device, why in run_wave(self._session, orders, self._take, on_wait=on_wait).items():
            message = f"what device {device} holds is not compared with the target: it died: {why}"
            self._outcome.tell("", "device-dead", message, device=device, is_lost=False)
        self._outcome.verified_files_count += len(self._pieced - self._differing)

    def _of_device(self, plans: Sequence[RestorePlan], device_id: str, device: str) -> Iterator[RestoreSegment]:
        for plan in plans:
            for holder in plan.holders(device_id):
                yield from self._of_object(plan, holder, device_id, device)
            for holder, place in read_by_parity(plan, self._groups, self._present).get(device, ()):
                yield from self._of_object(plan, holder, device_id, device, place.group)

    def _of_object(
        self, plan: RestorePlan, holder: Holder, device_id: str, device: str, group: GroupAt | None = None
    ) -> Iterator[RestoreSegment]:
        wanted = [pick for pick in plan.picks(holder) if pick.size_bytes and self._is_restored(pick)]
        for picks in in_bounds(wanted) if wanted else ():
            self._pieced.update(pick.path for pick in picks if not pick.metadata)
            yield self._orders.segment(
                holder.object, picks, device, device_id, devices_count=len(self._present), compare=True, group=group
            )

    def _is_restored(self, pick: Pick) -> bool:
        return pick.path not in self._outcome.not_restored and not self._outcome.holes.has(pick.path)

    def _take(self, order: Order, receipt: Receipt) -> None:
        assert isinstance(order, RestoreSegment)
        if receipt.failure is not None:
            self._differing.update(order.paths)
            message = f"{len(order.paths)} files are not compared with object {order.object_id}"
            self._outcome.tell(
                "", receipt.failure.code, f"{message}: {receipt.failure.message}", device=order.device, is_lost=False
            )
            return
        self._outcome.count(receipt.result)
        for trouble in receipt.result.troubles:
            self._differing.add(trouble.path)
            self._outcome.tell(trouble.path, trouble.code, trouble.message, is_lost=False)
