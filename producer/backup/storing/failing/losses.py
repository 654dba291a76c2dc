"""Devices that die, fill up or come back: who is asked how it is, and who takes over its segments."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from producer.backup.storing.failing.rerouting import reroute
from producer.backup.storing.recorder import Failed
from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.devices import DeviceState
from producer.observer import Trouble
from producer.pool.members import Member
from producer.pool.storing.ids import object_id
from producer.run.session import RunSession
from tasks.errors import BrokerError, DeviceError
from tasks.orders import DescribeDevice, Order, StoreSegment
from tasks.receipts import Receipt


class Losses:
    """Takes devices out of the run and back in."""

    def __init__(self, session: RunSession, state: BackupState) -> None:
        self._session = session
        self._state = state
        #: Device → the failures that wait until it has said how it is.
        self._probing: dict[str, list[Failed]] = {}

    @property
    def is_probing(self) -> bool:
        return bool(self._probing)

    # ---- asking a device how it is

    def probe(self, failed: Failed) -> None:
        """Ask the device; until it answers, its failures wait, and the catalog has it as suspect."""
        device = failed.receipt.device
        waiting = self._probing.setdefault(device, [])
        waiting.append(failed)
        if len(waiting) == 1:
            self._record_state(self._state.members[device], "suspect", failed.failure.message)
            self.ask(device)

    def ask(self, device: str) -> None:
        order = DescribeDevice(order_id=uuid.uuid4().hex, **self._session.order_fields(device))
        try:
            self._session.courier.send([order])
        except BrokerError as error:
            self._session.observer.note(f"{error}; the run continues when it is back")

    def probed(self, receipt: Receipt) -> list[Failed]:
        """Take a device's answer: it is lost, back, tidy, or well.

        If it is well, returns the failures that waited for the answer: the trouble is with their segments.
        """
        member = self._state.members[receipt.device]
        failed = self._probing.pop(receipt.device, [])
        why, is_readable = _flaw(receipt, member), _is_readable(receipt, member)
        if why is not None and member.state == "read-only" and is_readable:
            return []
        if why is not None and member.state != "dead":
            self.lose(member.name, "dead", f"{failed[0].failure.message} ({why})" if failed else why)
        elif why is not None or member.state == "full":
            self._session.courier.drop(member.name)
        elif not member.is_live:
            self._welcome(member)
        elif failed:
            self._record_state(member, "live", "")
        member.is_readable = is_readable
        if why is None:
            member.free_bytes = receipt.result.free_bytes
        return failed if why is None else []

    def _welcome(self, member: Member) -> None:
        """A lost device is back: it takes new work, and what it holds counts, unless it is stored again already."""
        if member.name not in self._session.courier.live:
            # Of two answers that came together, the first one told of a flaw, which ended its worker.
            self._session.courier.bring_back(member.name)
        member.state = "live"
        self._state.put_back(
            [number for number, row in self._state.displaced.items() if row.device_id == member.device_id]
        )
        self._record_state(member, "live", "")
        self._session.observer.note(f"device {member.name} is back")

    def end(self) -> None:
        """A device that has not answered yet is recorded as what it was before it was asked."""
        for device in self._probing:
            self._record_state(self._state.members[device], self._state.members[device].state, "")
        self._probing.clear()

    # ---- losing a device

    def lose(self, device: str, state: DeviceState, because: str) -> None:
        """Take the device out of the run: fence it, and give what it has not stored to the others.

        Raises DeviceError when no device is left.
        """
        member = self._state.members.get(device)
        orders = self._session.courier.drop(device)
        # A device that was away from the start has a worker too; a full one can still die.
        if member is None or member.state in ("dead", state):
            return
        self._take_out(member, state, because)
        if not self._state.live:
            raise DeviceError(
                f"no device is left: {because}",
                hint="what is stored is kept; fix a device and run the same command again",
            )
        numbers = [row.number for row in self._state.unfinished(device) if row.number not in self._state.given_up]
        self.move(device, numbers, orders)
        if state == "full":
            self._tidy(device)

    def _take_out(self, member: Member, state: DeviceState, because: str) -> None:
        session = self._session
        member.state, member.is_readable = state, state == "full"
        # What a worker reports names the device, too.
        message = f"device {member.name} is {state}: {because.removeprefix(f'device {member.name}: ')}"
        session.observer.trouble(Trouble(code=f"device-{state}", message=message))
        self._record_state(member, state, because)
        member.epoch = session.catalog.devices.raise_epoch(member.device_id)
        session.link.fence(member.device_id, member.epoch)
        member.lost_at_s = time.monotonic()
        self._probing.pop(member.name, None)

    def _tidy(self, device: str) -> None:
        """Have a new worker remove what the last one left half-written; then it is ended as well.

        A dead device is tidied when it is back.
        """
        self._session.courier.bring_back(device)
        self.ask(device)

    def move(self, device: str, numbers: Collection[int], orders: Sequence[Order] = ()) -> None:
        """Give segments that are still the device's to the then least-filled live devices, in the plan's order.

        What fits on none of them waits for a dead device, which may come back.  ``orders``: what was on its way to the
        device; the messages move along.  Raises DeviceFullError when nothing fits and no device is dead.
        """
        wanted = set(numbers)
        rows = [row for row in self._state.unfinished(device) if row.number in wanted]
        targets = reroute(self._session.catalog, self._state, device, rows)
        elsewhere = {number: name for number, name in targets.items() if self._state.members[name].is_live}
        moved = self._move_messages([order for order in orders if isinstance(order, StoreSegment)], elsewhere)
        self._state.move(device, targets, sent=moved)
        if elsewhere:
            self._session.observer.note(f"{len(elsewhere)} segments go to {', '.join(sorted(set(elsewhere.values())))}")

    def _move_messages(self, orders: Sequence[StoreSegment], targets: Mapping[int, str]) -> set[str]:
        """Move the dead device's messages; returns the ids of those that are in another queue now."""

        def fields_of(order: Order) -> dict[str, Any]:
            assert isinstance(order, StoreSegment)
            member = self._state.members[targets[order.number]]
            return {
                "device": member.name,
                "device_id": member.device_id,
                "epoch": member.epoch,
                "object_id": object_id(order.snapshot_id, order.order_id, member, order.attempt),
            }

        moved: set[str] = set()
        ours = [order for order in orders if order.number in targets]
        try:
            moved = self._session.courier.readdress(ours[0].device, ours, fields_of) if ours else set()
        except BrokerError as error:
            self._session.observer.note(f"{error}; the segments are sent again")
        for order in orders:
            if order.order_id not in moved:
                self._state.take(order.order_id)
        return moved

    def _record_state(self, member: Member, state: DeviceState, reason: str) -> None:
        self._session.catalog.devices.set_state(member.device_id, state, reason)


def _flaw(receipt: Receipt, member: Member) -> str | None:
    """What the answer says against the device; None when it is well and itself."""
    if receipt.failure is not None:
        return receipt.failure.message
    report = receipt.result
    if report.condition != "ready":
        return report.detail or f"its folder is {report.condition}"
    return None if report.device_id == member.device_id else "its folder holds another device"


def _is_readable(receipt: Receipt, member: Member) -> bool:
    """Whether a restore could read what the device holds."""
    if receipt.failure is not None:
        return False
    report = receipt.result
    return report.condition in ("ready", "unwritable") and report.device_id == member.device_id
