"""The middle of a backup: feeds, records and handles losses until every segment is stored."""

from __future__ import annotations

import time
from collections.abc import Sequence

from producer.backup.storing.balancing import Balancing
from producer.backup.storing.empty_files import EmptyFiles
from producer.backup.storing.failing.failures import Failures
from producer.backup.storing.failing.losses import Losses
from producer.backup.storing.feeder import Feeder
from producer.backup.storing.progress import progress_of
from producer.backup.storing.recorder import Recorder
from producer.backup.storing.state.state import BackupState
from producer.dispatch.seen_time import SeenTime
from producer.pool.members import Member
from producer.pool.storing.store_orders import StoreOrders
from producer.run.session import RunSession
from tasks.errors import BrokerError
from tasks.orders import ConfirmEmpty, Order, StoreSegment
from tasks.receipts import Receipt

#: Bars that move ten times a second look smooth, and cost nothing.
_PROGRESS_EVERY_S = 0.1

#: After Ctrl-C: how long to wait for segments that workers have begun; the next start finds those that come late.
_LAST_RECEIPTS_S = 10.0

#: Before the seal: how long a dead device may take to say that it is back.
_COME_BACK_S = 15.0


class Storing:
    """Runs the loop.  Everything it knows beyond this run is in the catalog."""

    def __init__(
        self,
        session: RunSession,
        state: BackupState,
        feeder: Feeder,
        recorder: Recorder,
        losses: Losses,
        failures: Failures,
        balancing: Balancing,
        empty_files: EmptyFiles,
        *,
        orders: StoreOrders,
        files_count: int,
    ) -> None:
        #: Makes an order for what is to be read once more.
        self.orders = orders
        self._session = session
        self._state = state
        self._feeder = feeder
        self._recorder = recorder
        self._losses = losses
        self._failures = failures
        self._balancing = balancing
        self._empty_files = empty_files
        self._files_count = files_count
        self._next_progress_s = 0.0
        #: While devices are only asked, there is no progress to report: it might come after that of the seal.
        self._is_confirming = False
        self._has_confirmed = False

    def run(self) -> None:
        """Return when every segment is stored or given up, and every empty file confirmed.

        Raises InterruptedRun, and DeviceError when no device is left.
        """
        try:
            while not self.turn():
                continue
        finally:
            self.end()
        self._tell_progress(at_once=True)

    def end(self) -> None:
        """Record devices that have not answered yet as what they were before they were asked."""
        self._losses.end()

    def turn(self) -> bool:
        """Feed, take the receipts that have come, look after everything once; True when all is done.

        Raises as :meth:`run`.
        """
        if self._is_done():
            self._tell_progress()
            return True
        self._look()
        return False

    def _look(self) -> None:
        self._take(self._session.courier.poll(0.1))
        self._look_after_devices()
        self._failures.retry_due()
        self._balancing.balance()
        self._tell_progress()

    def confirm(self) -> None:
        """Ask every device that holds something of this snapshot once more; a dead one may be back.

        Raises as :meth:`run`.
        """
        courier, asked = self._session.courier, []
        for member in self._state.holders():
            if member.state == "dead" and member.name in courier.live:
                # It was asked and has not answered: wait for that once only.
                asked += [] if self._has_confirmed else [member]
                continue
            if member.name not in courier.live:
                courier.bring_back(member.name)
            self._losses.ask(member.name)
            asked.append(member)
        self._has_confirmed = True
        self._is_confirming = True
        try:
            self.run()
            self._wait_for_the_dead(asked)
            self.run()
        finally:
            self._is_confirming = False

    def lose(self, device: str, why: str) -> None:
        """Take a device that does not answer out of the run.  Raises DeviceError when no device is left."""
        self._losses.lose(device, "dead", why)

    def _wait_for_the_dead(self, asked: Sequence[Member]) -> None:
        clock = SeenTime(time.monotonic)
        deadline_s = clock.now_s() + _COME_BACK_S
        while any(self._session.courier.in_flight(member.name) for member in asked if member.state == "dead"):
            if clock.now_s() > deadline_s:
                return
            self._session.interrupt.check()
            self._look()

    def _is_done(self) -> bool:
        if self._session.interrupt.requested:
            self._stop_in_order()
            self._session.interrupt.check()
        self._feeder.fill()
        # Nothing in flight after a fill: nothing was left to feed either.  A dead device has been asked whether it is
        # back; an agent that is gone for good never answers.
        asked = (member.name for member in self._state.members.values() if member.state != "dead")
        is_waiting = bool(self._state.waiting) or self._losses.is_probing
        if any(map(self._session.courier.in_flight, asked)) or is_waiting:
            return False
        # Last, so that what is written during the backup is noticed.
        return not self._empty_files.ask()

    def _take(self, answered: Sequence[tuple[Order, Receipt]]) -> None:
        stores = [(order, receipt) for order, receipt in answered if isinstance(order, StoreSegment)]
        self._failures.handle(self._recorder.record(stores))
        for order, receipt in answered:
            if isinstance(order, ConfirmEmpty):
                self._empty_files.take(order, receipt)
            elif not isinstance(order, StoreSegment):
                self._failures.handle(self._losses.probed(receipt), probed=True)

    def _look_after_devices(self) -> None:
        for device, why in self._session.courier.lost_devices().items():
            self._losses.lose(device, "dead", why)
        now_s = time.monotonic()
        for member in self._state.members.values():
            away = member.state == "dead" and member.name not in self._session.courier.live
            if away and now_s - member.lost_at_s > self._session.limits.rejoin_s:
                member.lost_at_s = now_s
                self._session.courier.bring_back(member.name)
                self._losses.ask(member.name)

    def _stop_in_order(self) -> None:
        """Withdraw what no worker has begun, and record what the workers finish."""
        session = self._session
        session.observer.note("stopping after the segments that are being stored (Ctrl-C again stops at once)")
        for device in session.courier.live:
            try:
                session.courier.withdraw(session.courier.in_flight(device))
            except BrokerError as error:
                session.observer.note(str(error))
        clock = SeenTime(time.monotonic)
        deadline_s = clock.now_s() + _LAST_RECEIPTS_S
        while clock.now_s() < deadline_s and session.courier.in_flight_count:
            self._recorder.record(
                [(order, receipt) for order, receipt in session.courier.poll(0.1) if isinstance(order, StoreSegment)]
            )

    def _tell_progress(self, *, at_once: bool = False) -> None:
        now_s = time.monotonic()
        if self._is_confirming or (now_s < self._next_progress_s and not at_once):
            return
        self._next_progress_s = now_s + _PROGRESS_EVERY_S
        self._session.observer.progress(progress_of(self._session, self._state, self._files_count))
