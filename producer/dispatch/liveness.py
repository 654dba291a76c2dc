"""Liveness: which devices have a worker that is alive and makes progress.

Three signals show that one does not:

- its process has ended: known at once in a local run;
- its lease has expired: the worker is dead, stopped, or cut off from the broker.  Known after LEASE_LIFE_S, or sooner
  where the broker's list of clients shows that an agent's worker has ended (:mod:`producer.dispatch.renewals`);
- its lease is renewed and orders wait for it, but its byte counter, its beat and its current order do not change: the
  worker hangs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from producer.dispatch.limits import Limits
from producer.dispatch.link import Link
from producer.dispatch.renewals import Renewals
from producer.dispatch.seen_time import SeenTime
from producer.fleet.local import Fleet
from tasks.broker.leases import LEASE_LIFE_S, Lease

#: A worker starts in 0.7 s on two idle cores; after this time something is wrong with it.
_BOOT_S = 60.0

#: Workers have reconnected to a restarted broker after 2 to 6 s.
_RECONNECT_S = 8.0

#: How often leases are read; workers renew them every second.
_LOOK_EVERY_S = 0.5

#: For a worker that is alive but starts nothing: its orders may be lost, and the courier needs 6 s to notice.
_LOST_ORDERS_S = 10.0

#: The speed is measured over the last seconds: short enough to follow a device that slows down.
_SPEED_OVER_S = 10.0

#: A device below this rate counts as stuck: a 64 MiB segment may show no progress for 7 s in addition to stall_s.
_MIN_RATE_BYTES_PER_S = 10_000_000


class _Pulse(Struct):
    """What is known about the workers of one device.  Times are those of :class:`SeenTime`, but for the speed."""

    #: When a lease was last seen; before the first one, when the device was added.
    seen_at_s: float
    booted: bool = False
    #: Whether all workers whose leases have not expired yet have ended.
    has_ended: bool = False
    leases: list[Lease] = field(default_factory=list)
    #: (worker, pid) → its byte counter when its lease was last seen.
    counters: dict[tuple[str, int], int] = field(default_factory=dict)
    #: What the workers have moved since the device was added.
    moved_bytes: int = 0
    #: (bytes moved, beats, current order), and since when they have not changed.
    progress: tuple[int, int, str] = (0, 0, "")
    still_since_s: float = 0.0
    #: How long orders have waited for workers that started none.  A sum, because orders are taken back from a device
    #: that does not start them, and are sent to it again.
    kept_waiting_s: float = 0.0
    asked_at_s: float = 0.0
    #: (time, bytes moved) of the last seconds, for the speed.
    samples: list[tuple[float, int]] = field(default_factory=list)


class Liveness:
    """Reads the leases of a run's devices.  Used from the run's thread only."""

    def __init__(self, link: Link, fleet: Fleet, devices: Iterable[str], limits: Limits) -> None:
        self._link = link
        self._fleet = fleet
        self._limits = limits
        self._pulses: dict[str, _Pulse] = {}
        self._departed: set[str] = set()
        self._renewals = Renewals(link)
        #: Nobody is blamed for the time in which this process was stuck, wherever that was.
        self._clock = SeenTime(time.monotonic)
        self._next_look_s = 0.0
        #: When the broker last answered or failed to: the manager's knowledge dates from then.
        self._looked_at_s = self._clock.now_s()
        self._all_gone_s: float | None = None
        for device in devices:
            self.begin(device)

    def begin(self, device: str) -> None:
        """Add a device whose worker has just been started."""
        now_s = self._clock.now_s()
        self._pulses[device] = _Pulse(seen_at_s=now_s, still_since_s=now_s, asked_at_s=now_s)

    def end(self, device: str) -> None:
        self._pulses.pop(device, None)

    def bytes_moved(self, device: str) -> int:
        """What the device's workers have moved since the device was added, or since they started if that was later."""
        pulse = self._pulses.get(device)
        return pulse.moved_bytes if pulse is not None else 0

    def take_departed(self) -> set[str]:
        """Devices that have lost a worker since the last call, but still have others."""
        departed, self._departed = self._departed, set()
        return departed

    def in_hand(self, device: str) -> list[str]:
        """The ids of the orders that the device's workers are carrying out."""
        return [lease.order_id for lease in self._leases(device) if lease.order_id]

    def speed_bytes_per_s(self, device: str) -> float | None:
        """The speed over the last seconds; None until enough is known."""
        pulse = self._pulses.get(device)
        if pulse is None or len(pulse.samples) < 2:
            return None
        (first_s, first_bytes), (last_s, last_bytes) = pulse.samples[0], pulse.samples[-1]
        return (last_bytes - first_bytes) / (last_s - first_s) if last_s - first_s >= 2 * _LOOK_EVERY_S else None

    def answered(self, device: str) -> None:
        """Note that a receipt came from the device: it does not keep its orders waiting."""
        pulse = self._pulses.get(device)
        if pulse is not None:
            pulse.kept_waiting_s = 0.0

    def look(self) -> None:
        """Read the leases if that is due."""
        now_s = self._clock.now_s()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + _LOOK_EVERY_S
        leases = self._link.leases(self._pulses)
        self._looked_at_s = now_s = self._clock.now_s()
        if self._clock.take_missed_s():
            self._forgive(now_s)
        if leases is None:
            self._all_gone_s = None
            self._forgive(now_s)
        elif not any(leases.values()):
            # All gone at once: suspect the broker rather than the devices, for as long as workers need to reconnect.
            self._all_gone_s = self._all_gone_s or now_s
            if now_s - self._all_gone_s < _RECONNECT_S:
                self._forgive(now_s)
        else:
            self._all_gone_s = None
            for device, living in self._renewals.living(leases, now_s).items():
                pulse = self._pulses[device]
                pulse.has_ended = bool(leases[device]) and not living
                if living and _note(pulse, living, now_s, shared=self._fleet.is_shared(device)):
                    self._departed.add(device)

    def gone(self) -> dict[str, str]:
        """Device → why, for devices that no worker serves any longer."""
        ended = self._fleet.exited()
        found = {}
        for device, pulse in self._pulses.items():
            silent_s = self._looked_at_s - pulse.seen_at_s
            if device in ended:
                found[device] = f"its worker ended ({ended[device]})"
            elif pulse.has_ended:
                found[device] = "its worker has ended: it is no longer connected to the broker"
            elif silent_s > (LEASE_LIFE_S if pulse.booted else _BOOT_S):
                found[device] = f"its worker has given no sign of life for {silent_s:.0f} s"
        return found

    def hung(self, orders: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
        """Device → why, for workers that are alive but stuck; ``orders`` in flight: device → order id → bytes."""
        now_s, found = self._clock.now_s(), {}
        for device, pulse in self._pulses.items():
            waiting, order_id = orders.get(device, {}), pulse.progress[-1]
            if order_id:
                still_s, pulse.kept_waiting_s = now_s - pulse.still_since_s, 0.0
                limit_s = self._limits.stall_s + waiting.get(order_id, 0) / _MIN_RATE_BYTES_PER_S
            else:
                pulse.kept_waiting_s += now_s - pulse.asked_at_s if waiting and pulse.booted else 0.0
                still_s = pulse.kept_waiting_s
                limit_s = self._limits.stall_s + _LOST_ORDERS_S
            pulse.asked_at_s = now_s
            if pulse.booted and still_s > limit_s:
                found[device] = f"no progress for {still_s:.0f} s"
        return found

    def _leases(self, device: str) -> list[Lease]:
        pulse = self._pulses.get(device)
        return pulse.leases if pulse is not None else []

    def _forgive(self, now_s: float) -> None:
        """Restart all clocks: nobody is blamed for the time until now."""
        self._renewals.forgive()
        for pulse in self._pulses.values():
            if pulse.booted:
                pulse.seen_at_s = pulse.still_since_s = now_s
                pulse.kept_waiting_s = 0.0


def _note(pulse: _Pulse, leases: list[Lease], now_s: float, *, shared: bool) -> bool:
    """Update ``pulse`` from the leases; returns whether one of its workers is gone."""
    counters = {(lease.worker, lease.pid): lease.bytes_moved for lease in leases}
    # What a shared worker had moved before was for other runs.
    before = counters if shared and not pulse.booted else pulse.counters
    pulse.moved_bytes += sum(max(0, count - before.get(worker, 0)) for worker, count in counters.items())
    has_lost_one = not pulse.counters.keys() <= counters.keys()
    pulse.counters, pulse.leases, pulse.seen_at_s, pulse.booted = counters, leases, now_s, True
    beats = sum(lease.beats for lease in leases)
    progress = (pulse.moved_bytes, beats, next((lease.order_id for lease in leases if lease.order_id), ""))
    if progress != pulse.progress:
        pulse.progress, pulse.still_since_s, pulse.kept_waiting_s = progress, now_s, 0.0
    real_s = time.monotonic()
    recent = [sample for sample in pulse.samples if real_s - sample[0] <= _SPEED_OVER_S]
    pulse.samples = [*recent, (real_s, pulse.moved_bytes)]
    return has_lost_one
