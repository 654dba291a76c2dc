"""Moves unfed segments away from devices that would finish last.  Pure (docs/faults.md: slow device)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: A gain below this is within the noise of the measured speeds, and not worth the moves.
_WORTHWHILE_SHARE = 0.05

#: So is one below this: a device reports what it has moved once a second, a unit at a time.
_WORTHWHILE_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What one device still has to do."""

    #: Bytes in flight, less what is moved of them already: they stay where they are.
    committed_bytes: int
    #: (number, bytes) of the segments that are not fed yet, in plan order.
    unfed: Sequence[tuple[int, int]]
    speed_bytes_per_s: float
    #: What the device can still take.
    free_bytes: int

    @property
    def finish_s(self) -> float:
        return (self.committed_bytes + sum(size for _, size in self.unfed)) / self.speed_bytes_per_s


def rebalance(backlogs: Mapping[str, Backlog]) -> dict[int, str]:
    """Segment number → its new device; empty unless the run ends more than 5 %, and a second, sooner.

    Devices that would finish late give up segments from the end of their plan; each goes, the largest first, to the
    device that would finish it first, which may be the old one.
    """
    if len(backlogs) < 2:
        return {}
    now_s = max(backlog.finish_s for backlog in backlogs.values())
    ideal_s = _ideal_s(backlogs)
    loads_bytes, given = _give_up(backlogs, ideal_s)
    moves, then_s = _take(backlogs, loads_bytes, given)
    return moves if now_s - then_s > max(now_s * _WORTHWHILE_SHARE, _WORTHWHILE_S) else {}


def _ideal_s(backlogs: Mapping[str, Backlog]) -> float:
    total = sum(backlog.committed_bytes + sum(size for _, size in backlog.unfed) for backlog in backlogs.values())
    return total / sum(backlog.speed_bytes_per_s for backlog in backlogs.values())


def _give_up(backlogs: Mapping[str, Backlog], ideal_s: float) -> tuple[dict[str, int], list[tuple[int, int, str]]]:
    """Loads after the late devices gave up segments; and these, as (size, number, old device)."""
    loads_bytes: dict[str, int] = {}
    given: list[tuple[int, int, str]] = []
    for device, backlog in backlogs.items():
        load = backlog.committed_bytes + sum(size for _, size in backlog.unfed)
        for number, size in reversed(backlog.unfed):
            if load <= ideal_s * backlog.speed_bytes_per_s:
                break
            load -= size
            given.append((size, number, device))
        loads_bytes[device] = load
    return loads_bytes, given


def _take(
    backlogs: Mapping[str, Backlog], loads_bytes: dict[str, int], given: list[tuple[int, int, str]]
) -> tuple[dict[int, str], float]:
    """Give each segment to the device that would finish it first; returns the moves and the new end."""
    moves: dict[int, str] = {}
    room_bytes = {device: backlog.free_bytes for device, backlog in backlogs.items()}
    for size, number, old in sorted(given, key=lambda item: (-item[0], item[1])):
        fitting = [device for device in backlogs if device == old or room_bytes[device] >= size]
        device = min(
            fitting, key=lambda name: ((loads_bytes[name] + size) / backlogs[name].speed_bytes_per_s, name != old, name)
        )
        loads_bytes[device] += size
        if device != old:
            room_bytes[device] -= size
            moves[number] = device
    return moves, max(load / backlogs[device].speed_bytes_per_s for device, load in loads_bytes.items())
