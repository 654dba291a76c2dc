"""Devices that die, fill up, or fail an order: who takes over, and which segments are tried again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping

from producer.catalog.rows import DeviceState, SegmentRow
from producer.engine.feed import Feeder
from producer.engine.members import Member
from producer.engine.reassign import reassign
from producer.engine.record import Failed
from producer.engine.retry import Verdict, judge, wait_before_s
from producer.engine.session import Session
from producer.observer import Trouble
from tasks.errors import DeviceError, Reason
from tasks.orders import DescribeDevice
from tasks.receipts import Receipt


class Losses:
    """Decides after each failure, by the pure rules of ``retry`` and ``reassign``, and carries that out."""

    def __init__(
        self,
        session: Session,
        snapshot_id: str,
        members: Mapping[str, Member],
        feeder: Feeder,
        *,
        retries_count: int,
    ) -> None:
        self.given_up: list[tuple[SegmentRow, str]] = []
        self._session = session
        self._snapshot_id = snapshot_id
        self._members = members
        self._feeder = feeder
        self._retries_count = retries_count
        #: Segment number → (when its next try is due, the device for it).
        self._waiting: dict[int, tuple[float, str]] = {}
        #: Device → the failures that wait for its probe.
        self._probing: dict[str, list[Failed]] = {}

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting or self._probing)

    def handle(self, failed: list[Failed]) -> None:
        for row, order, receipt in failed:
            self._handle_one((row, order, receipt), probed=False)

    def _handle_one(self, failure: Failed, *, probed: bool) -> None:
        row, _, receipt = failure
        assert receipt.failure is not None
        if not self._members[receipt.device].is_live:
            self._move([row])
            return
        verdict = judge(
            receipt.failure.reason, attempt=receipt.attempt, retries_count=self._retries_count, probed=probed
        )
        if verdict is Verdict.DEVICE_FULL:
            self.lose(receipt.device, "full", receipt.failure.message)
        elif verdict is Verdict.PROBE:
            self._probe(receipt.device, failure)
        elif verdict is Verdict.GIVE_UP:
            self.given_up.append((row, receipt.failure.message))
            self._tell(receipt.failure.code, f"segment {row.number} given up: {receipt.failure.message}")
        else:
            self._retry(row, receipt, elsewhere=verdict is Verdict.RETRY_ELSEWHERE)

    def _retry(self, row: SegmentRow, receipt: Receipt, *, elsewhere: bool) -> None:
        device = receipt.device
        if elsewhere:
            others = [member for member in self._live() if member.name != device] or self._live()
            device = min(others, key=lambda member: (member.load_bytes, member.name)).name
        self._waiting[row.number] = (time.monotonic() + wait_before_s(receipt.attempt), device)

    def retry_due(self) -> None:
        """Plan again the segments whose wait is over."""
        now_s = time.monotonic()
        due = {number: device for number, (due_s, device) in self._waiting.items() if due_s <= now_s}
        for number, device in due.items():
            del self._waiting[number]
            self._session.catalog.replan(self._snapshot_id, [number], device)

    def _probe(self, device: str, failure: Failed) -> None:
        """Ask the device; until it answers, its failures wait."""
        waiting = self._probing.setdefault(device, [])
        waiting.append(failure)
        if len(waiting) == 1:
            order = DescribeDevice(order_id=uuid.uuid4().hex, **self._session.order_fields(device))
            self._session.courier.send([order])

    def probed(self, receipt: Receipt) -> None:
        """Take the answer to a probe: the device is lost, or the trouble was with single segments."""
        failures = self._probing.pop(receipt.device, [])
        report = receipt.result
        if receipt.failure is not None:
            self._lose_after(failures, receipt.device, receipt.failure.message)
        elif report.condition != "ready" or report.device_id != self._members[receipt.device].device_id:
            detail = report.detail or f"its folder is {report.condition}"
            self._lose_after(failures, receipt.device, detail)
        else:
            for failure in failures:
                self._handle_one(failure, probed=True)

    def _lose_after(self, failures: list[Failed], device: str, because: str) -> None:
        first = failures[0][2].failure if failures else None
        state: DeviceState = "full" if first is not None and first.reason is Reason.FULL else "dead"
        self.lose(device, state, f"{first.message} ({because})" if first is not None else because)

    def lose(self, device: str, state: DeviceState, because: str) -> None:
        """Take the device out of the run: fence it, and give what it has not stored to the others.

        Raises DeviceError when no device is left.
        """
        member = self._members[device]
        if not member.is_live:
            return
        member.state = state
        self._tell(f"device-{state}", f"device {device} is {state}: {because}")
        in_flight = self._session.courier.in_flight(device)
        self._session.courier.declare_dead(device, because)
        self._session.catalog.set_device_state(member.device_id, state, because)
        member.epoch = self._session.catalog.raise_epoch(member.device_id)
        for order in in_flight:
            self._feeder.sent.pop(order.order_id, None)
        self._probing.pop(device, None)
        if not self._live():
            raise DeviceError(
                f"no device is left: {because}",
                hint="what is stored is kept; mend a device and run the same command again",
            )
        self._move(self._session.catalog.unfinished_segments(self._snapshot_id, device))

    def _move(self, rows: list[SegmentRow]) -> None:
        """Give the segments to the then least-filled live devices, in the plan's order."""
        live = self._live()
        targets = reassign(
            [(row.number, row.size_bytes) for row in rows],
            {member.name: member.load_bytes for member in live},
            {member.name: member.free_bytes for member in live},
        )
        numbers_of: dict[str, list[int]] = {}
        for row in rows:
            device = targets[row.number]
            self._shift(row, self._members[row.device], self._members[device])
            self._waiting.pop(row.number, None)
            numbers_of.setdefault(device, []).append(row.number)
        with self._session.catalog.transaction():
            for device, numbers in numbers_of.items():
                self._session.catalog.replan(self._snapshot_id, numbers, device)
        if rows:
            self._session.observer.note(f"{len(rows)} segments go to {', '.join(sorted(numbers_of))}")

    @staticmethod
    def _shift(row: SegmentRow, old: Member, new: Member) -> None:
        old.load_bytes -= row.size_bytes
        old.load_segments -= 1
        new.load_bytes += row.size_bytes
        new.load_segments += 1

    def _live(self) -> list[Member]:
        return [member for member in self._members.values() if member.is_live]

    def _tell(self, code: str, message: str) -> None:
        self._session.observer.trouble(Trouble(code=code, message=message))
