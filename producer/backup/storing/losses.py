"""Devices that die, fill up, fail an order, or come back: who takes over, and what is tried again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from producer.backup.storing.feeder import Feeder
from producer.backup.storing.reassigning import reassign_rows
from producer.backup.storing.recorder import Failed
from producer.backup.storing.retry import NextStep, judge, wait_before_s
from producer.catalog.tables.devices import DeviceState
from producer.catalog.tables.segments.rows import SegmentRow
from producer.observer import Trouble
from producer.pool.members import Member
from producer.run.session import RunSession
from tasks.errors import BrokerError, DeviceError, Reason
from tasks.orders import DescribeDevice, Order, StoreSegment
from tasks.receipts import Receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class _NextTry:
    """The next try of a segment, which stays its device's until then: a device that dies gives it away with the rest.

    ``elsewhere``: on another device, chosen when the try is due.
    """

    row: SegmentRow
    due_s: float
    elsewhere: bool


class Losses:
    """Decides after each failure, by the pure rules of ``retry`` and ``reassign``, and carries that out."""

    def __init__(
        self,
        session: RunSession,
        snapshot_id: str,
        members: Mapping[str, Member],
        feeder: Feeder,
        *,
        retries_count: int,
    ) -> None:
        #: Segments that failed for good: number → the last failure.
        self.given_up: dict[int, str] = {}
        self._session = session
        self._snapshot_id = snapshot_id
        self._members = members
        self._feeder = feeder
        self._retries_count = retries_count
        #: Segment number → its next try.
        self._waiting: dict[int, _NextTry] = {}
        #: Device → the failures that wait for its probe.
        self._probing: dict[str, list[Failed]] = {}

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting or self._probing)

    # ---- one order

    def handle(self, failed: Sequence[Failed]) -> None:
        """Decide about orders that failed; the failure is in the catalog already."""
        for failure in failed:
            self._handle_one(failure, probed=False)

    def _handle_one(self, failure: Failed, *, probed: bool) -> None:
        row, _, receipt = failure
        assert receipt.failure is not None
        # It may have been fed to a device that has died, and moved from there.
        row = replace(row, device=receipt.device)
        if not self._members[receipt.device].is_live:
            self._move([row], [])
            return
        step = judge(receipt.failure.reason, attempt=receipt.attempt, retries_count=self._retries_count, probed=probed)
        if step is NextStep.DEVICE_FULL:
            self.lose(receipt.device, "full", receipt.failure.message)
        elif step is NextStep.PROBE:
            self._probe(receipt.device, failure)
        elif step is NextStep.GIVE_UP:
            self.given_up[row.number] = receipt.failure.message
            self._tell(receipt.failure.code, f"segment {row.number} given up: {receipt.failure.message}")
        else:
            self._retry(row, receipt, elsewhere=step is NextStep.RETRY_ELSEWHERE)

    def _retry(self, row: SegmentRow, receipt: Receipt, *, elsewhere: bool) -> None:
        assert receipt.failure is not None
        if elsewhere and receipt.failure.reason is Reason.SOURCE and len(self._live()) > 1:
            self._note_blind(self._members[receipt.device], receipt.failure.message)
        due_s = time.monotonic() + wait_before_s(receipt.attempt)
        self._waiting[row.number] = _NextTry(row=row, due_s=due_s, elsewhere=elsewhere)

    def _note_blind(self, member: Member, why: str) -> None:
        if member.sees_sources:
            member.sees_sources = False
            self._session.observer.note(f"device {member.name}: {why}; other devices take what it was to store of it")

    def retry_due(self) -> None:
        """Plan again the segments whose wait is over, on devices that live now."""
        now_s = time.monotonic()
        for number, next_try in list(self._waiting.items()):
            if next_try.due_s <= now_s:
                del self._waiting[number]
                row, device = next_try.row, self._members[next_try.row.device]
                new = self._elsewhere(row) if next_try.elsewhere else device
                device.hand_over(row.size_bytes, new)
                self._session.catalog.transitions.replan(self._snapshot_id, [number], new.name)

    def _elsewhere(self, row: SegmentRow) -> Member:
        """The least-filled other live device, rather one with room whose workers have found all sources so far."""
        live = self._live()
        return min(
            [member for member in live if member.name != row.device] or live,
            key=lambda member: (
                not member.sees_sources,
                member.room_bytes < row.size_bytes,
                member.load_bytes,
                member.name,
            ),
        )

    # ---- one device

    def _probe(self, device: str, failure: Failed) -> None:
        """Ask the device; until it answers, its failures wait, and the catalog has it as suspect."""
        waiting = self._probing.setdefault(device, [])
        waiting.append(failure)
        if len(waiting) == 1:
            receipt = failure[2]
            assert receipt.failure is not None
            self._session.catalog.devices.set_state(self._members[device].device_id, "suspect", receipt.failure.message)
            self.ask(device)

    def ask(self, device: str) -> None:
        order = DescribeDevice(order_id=uuid.uuid4().hex, **self._session.order_fields(device))
        try:
            self._session.courier.send([order])
        except BrokerError as error:
            self._session.observer.note(f"{error}; going on when it is back")

    def probed(self, receipt: Receipt) -> None:
        """Take the answer to a probe: the device is lost, is back, is tidy, or the trouble was with single segments."""
        member = self._members[receipt.device]
        failures = self._probing.pop(receipt.device, [])
        why = _flaw(receipt, member)
        if why is not None and member.is_live:
            first = failures[0][2].failure if failures else None
            self.lose(member.name, "dead", f"{first.message} ({why})" if first is not None else why)
        elif why is not None or member.state == "full":
            self._session.courier.drop(member.name)
        elif not member.is_live:
            self._welcome(member)
        elif failures:
            self._session.catalog.devices.set_state(member.device_id, "live", "")
        for failure in failures if why is None else []:
            self._handle_one(failure, probed=True)

    def _welcome(self, member: Member) -> None:
        """A lost device is back: it takes new work, and what it holds has counted all the time."""
        member.state = "live"
        self._session.catalog.devices.set_state(member.device_id, "live", "")
        self._session.observer.note(f"device {member.name} is back")

    def lose(self, device: str, state: DeviceState, because: str) -> None:
        """Take the device out of the run: fence it, and give what it has not stored to the others.

        Raises DeviceError when no device is left.
        """
        session, member = self._session, self._members.get(device)
        orders = session.courier.drop(device)
        # A device that was away from the start has a worker too.
        if member is None or not member.is_live:
            return
        member.state = state
        self._tell(f"device-{state}", f"device {device} is {state}: {because}")
        session.catalog.devices.set_state(member.device_id, state, because)
        member.epoch = session.catalog.devices.raise_epoch(member.device_id)
        session.link.fence(member.device_id, member.epoch)
        member.lost_at_s = time.monotonic()
        self._probing.pop(device, None)
        if not self._live():
            raise DeviceError(
                f"no device is left: {because}",
                hint="what is stored is kept; mend a device and run the same command again",
            )
        rows = session.catalog.segments.unfinished(self._snapshot_id, device)
        self._move([row for row in rows if row.number not in self.given_up], orders)
        if state == "full":
            self._tidy(device)

    def _tidy(self, device: str) -> None:
        """Have a new worker remove what the one that was ended left half-written; then it is ended as well.

        A device that is dead is tidied when it is back.
        """
        self._session.courier.bring_back(device)
        self.ask(device)

    def _move(self, rows: Sequence[SegmentRow], orders: Sequence[Order]) -> None:
        """Give the segments to the then least-filled live devices, in the plan's order; messages move along."""
        targets = reassign_rows(self._session.catalog, self._snapshot_id, rows, self._live())
        for row in rows:
            self._members[row.device].hand_over(row.size_bytes, self._members[targets[row.number]])
            self._waiting.pop(row.number, None)
        moved = self._move_messages([order for order in orders if isinstance(order, StoreSegment)], targets)
        with self._session.catalog.transaction():
            for device in set(targets.values()):
                self._book(device, [row for row in rows if targets[row.number] == device], moved)
        if rows:
            self._session.observer.note(f"{len(rows)} segments go to {', '.join(sorted(set(targets.values())))}")

    def _book(self, device: str, rows: Sequence[SegmentRow], moved: set[str]) -> None:
        catalog, epoch = self._session.catalog, self._members[device].epoch
        catalog.transitions.replan(self._snapshot_id, [row.number for row in rows], device)
        catalog.transitions.mark_fed(
            self._snapshot_id, [row.number for row in rows if row.segment_id in moved], device, epoch
        )

    def _move_messages(self, orders: Sequence[StoreSegment], targets: Mapping[int, str]) -> set[str]:
        """Move the dead device's messages; returns the ids of those that are in another queue now."""

        def fields_of(order: Order) -> dict[str, Any]:
            assert isinstance(order, StoreSegment)
            member = self._members[targets[order.number]]
            return {"device": member.name, "device_id": member.device_id, "epoch": member.epoch}

        moved: set[str] = set()
        ours = [order for order in orders if order.number in targets]
        try:
            moved = self._session.courier.readdress(ours[0].device, ours, fields_of) if ours else set()
        except BrokerError as error:
            self._session.observer.note(f"{error}; the segments are fed anew")
        for order in orders:
            if order.order_id not in moved:
                self._feeder.sent.pop(order.order_id, None)
        return moved

    def _live(self) -> list[Member]:
        return [member for member in self._members.values() if member.is_live]

    def _tell(self, code: str, message: str) -> None:
        self._session.observer.trouble(Trouble(code=code, message=message))


def _flaw(receipt: Receipt, member: Member) -> str | None:
    """What the probe says against the device; None when it is well and itself."""
    if receipt.failure is not None:
        return receipt.failure.message
    report = receipt.result
    if report.condition != "ready":
        return report.detail or f"its folder is {report.condition}"
    return None if report.device_id == member.device_id else "its folder holds another device"
