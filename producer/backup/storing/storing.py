"""The middle of a backup: feed, record, and take care of losses, until every segment is stored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from producer.backup.storing.balancing import Balancing
from producer.backup.storing.feeder import Feeder
from producer.backup.storing.losses import Losses
from producer.backup.storing.recorder import Recorder
from producer.observer import DeviceProgress, Progress
from producer.pool.members import Member
from producer.run.session import RunSession
from tasks.errors import BrokerError
from tasks.orders import Order, StoreSegment
from tasks.receipts import Receipt

#: Bars that move ten times a second look smooth, and cost nothing.
_PROGRESS_EVERY_S = 0.1

#: After Ctrl-C: how long to wait for what the workers have in hand; what is late is found at the next start.
_LAST_RECEIPTS_S = 10.0


class Storing:
    """Runs the loop.  Everything it knows beyond this run is in the catalog."""

    def __init__(
        self,
        session: RunSession,
        members: Mapping[str, Member],
        feeder: Feeder,
        recorder: Recorder,
        losses: Losses,
        balancing: Balancing,
        *,
        files_count: int,
    ) -> None:
        self._session = session
        self._members = members
        self._feeder = feeder
        self._recorder = recorder
        self._losses = losses
        self._balancing = balancing
        self._files_count = files_count
        self._next_progress_s = 0.0

    def run(self) -> None:
        """Return when every segment is stored or given up.

        Raises InterruptedRun, and DeviceError when no device is left.
        """
        while not self.turn():
            continue
        self._tell_progress(at_once=True)
        for line in self._session.courier.strays().in_words():
            self._session.observer.note(line)

    def turn(self) -> bool:
        """Feed, take what has come, and look after everything once; True when all is done.  Raises as :meth:`run`."""
        if self._is_done():
            return True
        self._take(self._session.courier.poll(0.1))
        self._look_after_devices()
        self._losses.retry_due()
        self._balancing.balance()
        self._tell_progress()
        return False

    def _is_done(self) -> bool:
        if self._session.interrupt.requested:
            self._stop_in_order()
            self._session.interrupt.check()
        self._feeder.fill()
        # Nothing in flight after a fill: nothing was left to feed either.  What a dead device has in flight is the
        # question whether it is back, which an agent that is gone for good never answers.
        asked = (member.name for member in self._members.values() if member.state != "dead")
        return not any(map(self._session.courier.in_flight, asked)) and not self._losses.has_waiting

    def _take(self, answered: Sequence[tuple[Order, Receipt]]) -> None:
        stores = [(order, receipt) for order, receipt in answered if isinstance(order, StoreSegment)]
        self._losses.handle(self._recorder.record(stores))
        for order, receipt in answered:
            if not isinstance(order, StoreSegment):
                self._losses.probed(receipt)

    def _look_after_devices(self) -> None:
        for device, why in self._session.courier.lost_devices().items():
            self._losses.lose(device, "dead", why)
        now_s = time.monotonic()
        for member in self._members.values():
            away = member.state == "dead" and member.name not in self._session.courier.live
            if away and now_s - member.lost_at_s > self._session.limits.rejoin_s:
                member.lost_at_s = now_s
                self._session.courier.bring_back(member.name)
                self._losses.ask(member.name)

    def _stop_in_order(self) -> None:
        """Take back what no worker has begun, and record what they finish."""
        session = self._session
        session.observer.note("stopping; the segments in hand are finished first (Ctrl-C again ends at once)")
        for device in session.courier.live:
            try:
                session.courier.withdraw(session.courier.in_flight(device))
            except BrokerError as error:
                session.observer.note(str(error))
        deadline = time.monotonic() + _LAST_RECEIPTS_S
        while time.monotonic() < deadline and session.courier.in_flight_count:
            self._recorder.record(
                [(order, receipt) for order, receipt in session.courier.poll(0.1) if isinstance(order, StoreSegment)]
            )

    def _tell_progress(self, *, at_once: bool = False) -> None:
        now_s = time.monotonic()
        if now_s < self._next_progress_s and not at_once:
            return
        self._next_progress_s = now_s + _PROGRESS_EVERY_S
        devices = {name: self._device_progress(member) for name, member in self._members.items()}
        self._session.observer.progress(
            Progress(
                phase="storing",
                files_count=self._files_count,
                bytes_total=sum(member.load_bytes for member in self._members.values()),
                bytes_done=sum(device.bytes_done for device in devices.values()),
                devices=devices,
            )
        )

    def _device_progress(self, member: Member) -> DeviceProgress:
        recorder = self._recorder
        under_way_bytes = self._session.courier.watch.bytes_moved(member.name) if member.is_live else 0
        done_bytes = recorder.bytes_before[member.name] + max(recorder.bytes_done[member.name], under_way_bytes)
        return DeviceProgress(
            bytes_planned=member.load_bytes,
            bytes_done=min(done_bytes, member.load_bytes),
            segments_planned=member.load_segments,
            segments_done=recorder.segments_before[member.name] + recorder.segments_done[member.name],
            state=member.state,
        )
