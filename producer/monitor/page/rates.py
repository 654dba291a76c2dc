"""How fast each device of a running backup is, by what the page saw at earlier looks."""

from __future__ import annotations

from collections import deque

from producer.monitor.running import RunningBackup

#: A segment counts once it is stored, so a rate over less would jump.
_WINDOW_S = 60.0
_SHORTEST_S = 5.0


class Rates:
    """Call :meth:`look` at each look; it forgets what no longer runs."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    def look(self, running: tuple[RunningBackup, ...], now_s: float) -> None:
        kept = {}
        for backup in running:
            for device in backup.devices:
                key = (backup.snapshot_id, device.device)
                looks = kept[key] = self._seen.get(key, deque())
                looks.append((now_s, device.bytes_done))
                while len(looks) > 2 and looks[1][0] <= now_s - _WINDOW_S:
                    looks.popleft()
        self._seen = kept

    def bytes_per_s(self, snapshot_id: str, device: str) -> float | None:
        """None until there have been two looks some seconds apart."""
        looks = self._seen.get((snapshot_id, device))
        if not looks:
            return None
        (first_s, first_bytes), (last_s, last_bytes) = looks[0], looks[-1]
        return None if last_s - first_s < _SHORTEST_S else max(0, last_bytes - first_bytes) / (last_s - first_s)
