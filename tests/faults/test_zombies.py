"""A worker believed dead that wakes up and commits late; a device of another pool; an order that kills its worker."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from kit.deadlines import eventually
from kit.program.worker import INBOX, Worker, running_worker
from kit.scratch import new_folder
from kit.tree import Tree, noise
from tasks.broker.epochs import publish_epoch
from tasks.orders import AdoptDevice, StoreSegment
from tasks.values import Extent, Extents

DEVICE_ID, POOL_ID = "d" * 32, "b" * 32
SEGMENT_ID = "e" * 32

#: They take the device 15 s, unless its brake is released.
CONTENT, BYTES_PER_S = noise(2 * 2**20), 128 * 1024


@pytest.fixture
def worker() -> Iterator[Worker]:
    folder = new_folder("sf-")
    Tree({"file": CONTENT}).make(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SEGFLEET_BROKER_URL", raising=False)
        patch.setenv("TMPDIR", str(folder))
        with running_worker(folder, bytes_per_s=BYTES_PER_S) as running:
            adopted = running.ask(AdoptDevice(**common("a1" * 16, ""), pool_id=POOL_ID, new_device_id=DEVICE_ID))
            assert adopted.failure is None
            yield running
    shutil.rmtree(folder)


def common(order_id: str, device_id: str, epoch: int = 0) -> dict[str, Any]:
    return {
        "run_id": "0" * 32,
        "order_id": order_id,
        "device": "a",
        "device_id": device_id,
        "epoch": epoch,
        "attempt": 1,
        "reply_to": INBOX,
    }


def store(*, device_id: str = DEVICE_ID, epoch: int = 0) -> StoreSegment:
    return StoreSegment(
        **common(SEGMENT_ID, device_id, epoch),
        segment_id=SEGMENT_ID,
        object_id="b" * 32,
        snapshot_id="5" * 32,
        volume="data",
        number=0,
        source="data",
        extents=Extents.of([Extent(path="file", offset_bytes=0, size_bytes=len(CONTENT))]),
        threshold_bytes=len(CONTENT),
        unit_bytes=64 * 1024,
        block_bytes=4096,
        level=1,
        threads=1,
    )


def family(worker: Worker) -> list[int]:
    main = psutil.Process(worker.pid)
    return [process.pid for process in (*main.children(recursive=True), main)]


def test_a_zombie_that_wakes_up_after_its_device_was_given_up_commits_nothing(worker: Worker) -> None:
    worker.send(store())
    eventually(lambda: list(worker.device.rglob("*.tmp")), "the segment is being written")
    for pid in family(worker):
        os.kill(pid, signal.SIGSTOP)

    # What a manager does that gives the device up.
    publish_epoch(worker.redis, INBOX, DEVICE_ID, 1)
    worker.brake.release()
    for pid in family(worker):
        os.kill(pid, signal.SIGCONT)
    receipt = worker.receipt()

    assert receipt.failure is not None
    assert receipt.failure.code == "fenced"
    assert receipt.epoch == 0
    assert [path for path in worker.device.rglob("*") if path.suffix in (".seg", ".tmp")] == []


def test_after_the_device_was_taken_back_an_order_of_the_new_epoch_is_carried_out(worker: Worker) -> None:
    worker.brake.release()
    publish_epoch(worker.redis, INBOX, DEVICE_ID, 3)

    stale, fresh = worker.ask(store(epoch=2)), worker.ask(store(epoch=3))

    assert stale.failure is not None and stale.failure.code == "fenced"
    assert fresh.failure is None
    assert len(list(worker.device.rglob("*.seg"))) == 1


def test_a_device_that_another_pool_owns_is_not_written_to(worker: Worker) -> None:
    receipt = worker.ask(store(device_id="9" * 32))

    assert receipt.failure is not None
    assert receipt.failure.code == "not-a-device"
    assert list(worker.device.rglob("*.seg")) == []


def test_an_order_that_kills_the_workers_child_again_and_again_is_answered_with_a_failure(worker: Worker) -> None:
    worker.send(store())
    dead: set[int] = set()
    for _ in range(3):
        child = eventually(lambda: child_at_work(worker) - dead, "a child works on the order").pop()
        os.kill(child, signal.SIGKILL)
        dead.add(child)
    receipt = worker.receipt()

    assert receipt.failure is not None
    assert receipt.failure.code == "deadly"
    assert "died 3 times" in receipt.failure.message
    # The next order begins afresh.
    worker.brake.release()
    assert worker.ask(store()).failure is None


def child_at_work(worker: Worker) -> set[int]:
    """The worker's child, once it has the segment's temporary file open."""
    found = set()
    for child in psutil.Process(worker.pid).children():
        with suppress(psutil.Error):
            if any(file.path.endswith(".tmp") for file in child.open_files()):
                found.add(child.pid)
    return found
