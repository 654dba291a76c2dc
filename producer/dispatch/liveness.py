"""Which devices are served by a worker that lives and moves: process exits, leases, progress.

Three signals (design, section 4):

- the worker's process has ended: known at once, in a local run;
- its lease has run out: dead, stopped, or cut off from the broker, known after LEASE_LIFE_S; sooner where the broker's
  list of clients shows that an agent's worker has ended (:mod:`producer.dispatch.renewals`);
- its lease lives, orders wait for it, but neither its byte counter, nor its beat, nor the order in hand changes: it
  hangs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from producer.dispatch.limits import Limits
from producer.dispatch.link import Link
from producer.dispatch.renewals import Renewals
from producer.fleet.local import Fleet
from tasks.leases import LEASE_LIFE_S, Lease

#: A worker boots in 0.7 s on two idle cores; past this something is wrong with it.
_BOOT_S = 60.0

#: Workers found a restarted broker again after 2 to 6 s.
_RECONNECT_S = 8.0

#: How often the leases are read; they are renewed every second.
_LOOK_EVERY_S = 0.5

#: A manager that has not looked for so long stood still itself, and knows nothing against anybody.
_BLIND_S = 3.0

#: A worker that lives and begins nothing: its orders may have been lost, which the courier finds out within 6 s.
_LOST_ORDERS_S = 10.0

#: The speed is that of the last seconds: short enough to follow a device that slows down.
_SPEED_OVER_S = 10.0

#: Slower than this is not slow but stuck: a 64 MiB segment may show no progress for 7 s beyond the patience.
_MIN_RATE_BYTES_PER_S = 10_000_000


@dataclass(slots=True)
class _Pulse:
    """What is known of one device's workers."""

    #: When a lease was last seen; the start of the watch before the first.
    seen_at_s: float
    booted: bool = False
    #: Whether all workers that still have leases have ended.
    has_ended: bool = False
    leases: list[Lease] = field(default_factory=list)
    #: (worker, pid) → its counter when it was last seen.
    counters: dict[tuple[str, int], int] = field(default_factory=dict)
    #: What the workers have moved since the watch began.
    moved_bytes: int = 0
    #: (bytes moved, beats, order in hand) and since when they have stood still.
    progress: tuple[int, int, str] = (0, 0, "")
    still_since_s: float = 0.0
    #: How long orders have waited for workers that began none: the sum of the times when there were any, for orders
    #: are taken back from a device that does not begin them, and given again.
    kept_waiting_s: float = 0.0
    asked_at_s: float = 0.0
    #: (when, bytes moved) of the last seconds, for the speed.
    samples: list[tuple[float, int]] = field(default_factory=list)


class Watch:
    """Reads the leases of the watched devices.  Used from the run's thread only."""

    def __init__(self, link: Link, fleet: Fleet, devices: Iterable[str], limits: Limits) -> None:
        self._link = link
        self._fleet = fleet
        self._limits = limits
        self._pulses: dict[str, _Pulse] = {}
        self._departed: set[str] = set()
        self._renewals = Renewals(link)
        self._next_look_s = 0.0
        #: When the broker has answered last, or has failed to: what a manager knows is of that moment, for it may wait
        #: for seconds at a broker that stands still.
        self._looked_at_s = time.monotonic()
        self._all_gone_s: float | None = None
        for device in devices:
            self.begin(device)

    def begin(self, device: str) -> None:
        """Watch a device whose worker has just been started."""
        now_s = time.monotonic()
        self._pulses[device] = _Pulse(seen_at_s=now_s, still_since_s=now_s, asked_at_s=now_s)

    def end(self, device: str) -> None:
        self._pulses.pop(device, None)

    def bytes_moved(self, device: str) -> int:
        """What the device's workers have moved since the watch began, or since they started, if that was later."""
        pulse = self._pulses.get(device)
        return pulse.moved_bytes if pulse is not None else 0

    def take_departed(self) -> set[str]:
        """Devices that have lost a worker since the last call, and have others."""
        departed, self._departed = self._departed, set()
        return departed

    def in_hand(self, device: str) -> list[str]:
        """The ids of the orders that the device's workers are at work on."""
        return [lease.order_id for lease in self._leases(device) if lease.order_id]

    def speed_bytes_per_s(self, device: str) -> float | None:
        """Over the last seconds; None until enough is known."""
        pulse = self._pulses.get(device)
        if pulse is None or len(pulse.samples) < 2:
            return None
        (first_s, first_bytes), (last_s, last_bytes) = pulse.samples[0], pulse.samples[-1]
        return (last_bytes - first_bytes) / (last_s - first_s) if last_s - first_s >= 2 * _LOOK_EVERY_S else None

    def answered(self, device: str) -> None:
        """A receipt has come from the device: it has not kept its orders waiting."""
        pulse = self._pulses.get(device)
        if pulse is not None:
            pulse.kept_waiting_s = 0.0

    def look(self) -> None:
        """Read the leases, if it is time."""
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        if now_s - self._next_look_s > _BLIND_S:
            self._forgive(now_s)
        self._next_look_s = now_s + _LOOK_EVERY_S
        leases = self._link.leases(self._pulses)
        self._looked_at_s = now_s = time.monotonic()
        if leases is None:
            self._all_gone_s = None
            self._forgive(now_s)
        elif not any(leases.values()):
            # All gone at once: suspect the broker before the devices, for as long as workers need to reconnect.
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
        """Device → why, for watched devices that no worker serves any more."""
        ended = self._fleet.exited()
        found = {}
        for device, pulse in self._pulses.items():
            silent_s = self._looked_at_s - pulse.seen_at_s
            if device in ended:
                found[device] = f"its worker ended ({ended[device]})"
            elif pulse.has_ended:
                found[device] = "its worker has ended: it is connected to the broker no more"
            elif silent_s > (LEASE_LIFE_S if pulse.booted else _BOOT_S):
                found[device] = f"its worker has not been heard of for {silent_s:.0f} s"
        return found

    def hung(self, orders: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
        """Device → why, for workers that live but stand still; ``orders`` in flight: device → order id → bytes."""
        now_s, found = time.monotonic(), {}
        for device, pulse in self._pulses.items():
            waiting, order_id = orders.get(device, {}), pulse.progress[-1]
            if order_id:
                still_s, pulse.kept_waiting_s = now_s - pulse.still_since_s, 0.0
                limit_s = self._limits.stall_s + waiting.get(order_id, 0) / _MIN_RATE_BYTES_PER_S
            else:
                # A manager that was busy itself for long does not count that.
                pulse.kept_waiting_s += min(now_s - pulse.asked_at_s, _BLIND_S) if waiting and pulse.booted else 0.0
                still_s = pulse.kept_waiting_s
                limit_s = self._limits.stall_s + _LOST_ORDERS_S
            pulse.asked_at_s = now_s
            if pulse.booted and still_s > limit_s:
                found[device] = f"its bytes have stood still for {still_s:.0f} s"
        return found

    def _leases(self, device: str) -> list[Lease]:
        pulse = self._pulses.get(device)
        return pulse.leases if pulse is not None else []

    def _forgive(self, now_s: float) -> None:
        """Everybody gets a whole lease's time, and the whole patience, again."""
        self._renewals.forgive()
        for pulse in self._pulses.values():
            if pulse.booted:
                pulse.seen_at_s = pulse.still_since_s = now_s
                pulse.kept_waiting_s = 0.0


def _note(pulse: _Pulse, leases: list[Lease], now_s: float, *, shared: bool) -> bool:
    """Take what the leases say; returns whether a worker that was there is there no more."""
    counters = {(lease.worker, lease.pid): lease.bytes_moved for lease in leases}
    # What a shared worker had moved before the watch began was for others.
    before = counters if shared and not pulse.booted else pulse.counters
    pulse.moved_bytes += sum(max(0, count - before.get(worker, 0)) for worker, count in counters.items())
    has_lost_one = not pulse.counters.keys() <= counters.keys()
    pulse.counters, pulse.leases, pulse.seen_at_s, pulse.booted = counters, leases, now_s, True
    beats = sum(lease.beats for lease in leases)
    progress = (pulse.moved_bytes, beats, next((lease.order_id for lease in leases if lease.order_id), ""))
    if progress != pulse.progress:
        pulse.progress, pulse.still_since_s, pulse.kept_waiting_s = progress, now_s, 0.0
    recent = [sample for sample in pulse.samples if now_s - sample[0] <= _SPEED_OVER_S]
    pulse.samples = [*recent, (now_s, pulse.moved_bytes)]
    return has_lost_one
