"""Receipts that are forged, stale, malformed, repeated or late, in the queue of a manager that is at work."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import redis

from kit.deadlines import eventually
from kit.program.command import Done, Running
from kit.program.machine import Machine
from kit.program.processes import broker
from kit.program.scene import Scene

Envelope = dict[str, Any]


@pytest.fixture
def scene(machine: Machine) -> Scene:
    made = Scene(machine)
    # c answers every 1.2 s; the others are at work for longer.
    made.limit("64KiB", c="512KiB")
    return made


def codes(done: Done) -> list[str]:
    return [row["code"] for row in done.errors]


def strays(scene: Scene) -> dict[str, int]:
    """What the history says of the last backup."""
    row = scene.machine.succeed("history", "scene", "--json").rows[-1]
    counts: dict[str, int] = row["strays"]
    return counts


class Inbox:
    """The manager's queue, as somebody who may write to the broker sees it."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        #: Queue and message of each receipt that workers published.
        self.seen: list[tuple[str, Envelope]] = []

    def watch(self, ended: threading.Event) -> None:
        # The server ends with the run.
        with suppress(redis.ConnectionError), self._client.monitor() as monitor:
            while not ended.is_set():
                if monitor.connection.can_read(timeout=0.1):
                    self._note(monitor.next_command()["command"])

    def _note(self, command: str) -> None:
        name, _, rest = command.partition(" ")
        queue, _, message = rest.partition(" ")
        if name.upper() == "LPUSH" and queue.startswith("manager.") and '"copy"' not in message:
            with suppress(json.JSONDecodeError):
                self.seen.append((queue, json.loads(message)))

    def repeat(self, place: int, change: Callable[[Any], Any] = lambda receipt: receipt) -> None:
        """Publish the receipt that was seen at ``place`` once more, changed."""
        queue, envelope = self.seen[place]
        receipt = change(json.loads(base64.b64decode(envelope["body"])))
        self.publish(queue, envelope, json.dumps(receipt).encode())

    def publish(self, queue: str, envelope: Envelope, body: bytes) -> None:
        properties = {**envelope["properties"], "delivery_tag": str(uuid.uuid4())}
        message = {
            **envelope,
            "headers": {**envelope["headers"], "copy": True},
            "properties": properties,
            "body": base64.b64encode(body).decode(),
        }
        self._client.lpush(queue, json.dumps(message))


@contextmanager
def watched_inbox(machine: Machine) -> Iterator[Inbox]:
    with broker(machine) as client:
        inbox, ended = Inbox(client), threading.Event()
        watcher = threading.Thread(target=inbox.watch, args=(ended,), daemon=True)
        watcher.start()
        try:
            yield inbox
        finally:
            ended.set()
            watcher.join(10)


def run_with(scene: Scene, do: Callable[[Inbox], None]) -> Done:
    """A backup whose manager's queue ``do`` writes to, once two receipts of segments have gone by."""
    running: Running = scene.start()
    with watched_inbox(scene.machine) as inbox:
        eventually(lambda: len(inbox.seen) >= 2, "receipts go by")
        do(inbox)
        return scene.finish(running)


def test_receipts_that_come_twice_and_late_count_once(scene: Scene) -> None:
    def repeat_all(inbox: Inbox) -> None:
        for place in range(len(inbox.seen)):
            inbox.repeat(place)
            inbox.repeat(place)

    done = run_with(scene, repeat_all)

    assert codes(done) == []
    assert strays(scene)["receipts_dropped"] >= 4
    scene.prove(done)


def changed(**changes: Any) -> Callable[[Any], Any]:
    return lambda receipt: {**receipt, **changes}


#: These read well, and answer nothing that was asked.
FORGED = {
    "of an order that nobody gave": changed(order_id="f" * 32),
    "of another run": changed(run_id="f" * 32),
    "of another epoch": changed(epoch=99),
    "of another try": changed(attempt=7),
    "of a device that is not there": changed(device="nobody"),
    "of another device's id": changed(device_id="f" * 32),
}

MALFORMED = {
    "with an unknown key": changed(also="this"),
    "of another version": changed(version=99),
    "with neither result nor failure": changed(result=None, failure=None),
    "that is no object": lambda receipt: ["receipt"],
}


def test_forged_and_malformed_receipts_are_refused_and_counted_and_change_nothing(scene: Scene) -> None:
    def forge(inbox: Inbox) -> None:
        for change in [*FORGED.values(), *MALFORMED.values()]:
            inbox.repeat(0, change)
        queue, envelope = inbox.seen[0]
        inbox.publish(queue, envelope, b"\xff not json")

    done = run_with(scene, forge)

    assert codes(done) == []
    assert f"{len(FORGED)} receipts were dropped" in done.stderr
    assert f"{len(MALFORMED) + 1} receipts were refused" in done.stderr
    assert strays(scene) == {
        "orders_resent": 0,
        "orders_refused": 0,
        "receipts_dropped": len(FORGED),
        "receipts_refused": len(MALFORMED) + 1,
    }
    scene.prove(done)


def test_a_message_that_is_not_even_an_envelope_does_not_end_the_run(scene: Scene) -> None:
    def spoil(inbox: Inbox) -> None:
        queue, _ = inbox.seen[0]
        with broker(scene.machine) as client:
            client.lpush(queue, b"\xff not json", b"{}", b"[]", b'{"body": 1}')

    done = run_with(scene, spoil)

    assert "Traceback" not in done.stderr
    assert strays(scene)["receipts_refused"] == 4
    assert codes(done) == []
    scene.prove(done)
