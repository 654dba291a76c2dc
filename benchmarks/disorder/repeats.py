"""Receipts that come twice, and late: copies of what workers publish, published again."""

from __future__ import annotations

import json
import threading
import time
from random import Random

import redis

from tasks.broker.queues import MANAGER_PREFIX


class Repeats:
    """Watches the broker of one socket, and repeats ``share`` of the receipts up to ``late_s`` later."""

    def __init__(self, socket: str, dice: Random, *, share: float, late_s: float = 2.0) -> None:
        self.repeated_count = 0
        self._socket = socket
        self._dice = dice
        self._share = share
        self._late_s = late_s
        self._ended = threading.Event()
        self._due: list[tuple[float, str, str]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            try:
                self._watch()
            except (redis.RedisError, OSError):
                continue

    def _watch(self) -> None:
        client = redis.Redis(unix_socket_path=self._socket, decode_responses=True)
        with client, client.monitor() as monitor:
            while not self._ended.is_set():
                if monitor.connection.can_read(timeout=0.1):
                    self._note(monitor.next_command()["command"])
                self._publish_due(client)

    def _note(self, command: str) -> None:
        name, _, rest = command.partition(" ")
        queue, _, message = rest.partition(" ")
        is_receipt = name.upper() == "LPUSH" and queue.startswith(MANAGER_PREFIX) and '"repeated"' not in message
        if is_receipt and self._dice.random() < self._share:
            self._due.append((time.monotonic() + self._dice.uniform(0, self._late_s), queue, message))

    def _publish_due(self, client: redis.Redis) -> None:
        now_s = time.monotonic()
        for entry in [entry for entry in self._due if entry[0] <= now_s]:
            self._due.remove(entry)
            envelope = json.loads(entry[2])
            # So that a copy is not copied again.
            envelope["headers"] = {**envelope.get("headers", {}), "repeated": True}
            client.lpush(entry[1], json.dumps(envelope))
            self.repeated_count += 1
