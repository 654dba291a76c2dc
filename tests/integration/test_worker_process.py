"""A worker as a manager sees it: a real process, a real broker, orders and receipts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from kit.compare import look_at
from kit.deadlines import eventually
from kit.program.worker import INBOX, Worker, running_worker
from kit.scratch import new_folder
from kit.stored.segments import files_in
from kit.tree import Tree, noise
from tasks.orders import AdoptDevice, DescribeDevice, StoreSegment
from tasks.values import Extent, Extents
from tasks.wire import encode

DEVICE_ID, POOL_ID, SNAPSHOT_ID = "d" * 32, "b" * 32, "5" * 32
CONTENT = noise(200_000)


@contextmanager
def new_worker() -> Iterator[Worker]:
    """The worker of a device that is an empty folder."""
    folder = new_folder("sf-")
    Tree({"file": CONTENT, "folder/other": b"other"}).make(folder / "data")
    (folder / "secret").write_bytes(b"outside the source")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SEGFLEET_BROKER_URL", raising=False)
        patch.setenv("TMPDIR", str(folder))
        with running_worker(folder) as running:
            yield running
    shutil.rmtree(folder)


def adopt(worker: Worker) -> Worker:
    receipt = worker.ask(AdoptDevice(**common("a1" * 16), pool_id=POOL_ID, new_device_id=DEVICE_ID))
    assert receipt.failure is None, receipt
    return worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    with new_worker() as made:
        yield made


@pytest.fixture
def adopted(worker: Worker) -> Worker:
    """The same, after the device has joined a pool."""
    return adopt(worker)


@pytest.fixture(scope="module")
def steadfast() -> Iterator[Worker]:
    """One for all tests that send what a worker must refuse, and go on."""
    with new_worker() as made:
        yield adopt(made)


def common(order_id: str, *, device_id: str = "", epoch: int = 0) -> dict[str, Any]:
    return {
        "run_id": "0" * 32,
        "order_id": order_id,
        "device": "a",
        "device_id": device_id,
        "epoch": epoch,
        "attempt": 1,
        "reply_to": INBOX,
    }


def store(order_id: str = "e" * 32, *, source: str = "data", **changes: Any) -> StoreSegment:
    """The order to store both files of the source as one segment."""
    extents = [
        Extent(path="file", offset_bytes=0, size_bytes=len(CONTENT)),
        Extent(path="folder/other", offset_bytes=0, size_bytes=5),
    ]
    order = StoreSegment(
        **common(order_id, device_id=DEVICE_ID),
        segment_id="7" * 32,
        object_id=order_id,
        snapshot_id=SNAPSHOT_ID,
        volume="data",
        number=0,
        source=source,
        extents=Extents.of(extents),
        threshold_bytes=1_000_000,
        unit_bytes=64 * 1024,
        block_bytes=4096,
        level=3,
        threads=2,
    )
    return replace(order, **changes)


def segments(worker: Worker) -> list[Path]:
    return sorted(worker.device.glob("segments/*/*"))


def test_a_worker_tells_what_its_device_is_before_and_after_it_joins_a_pool(worker: Worker) -> None:
    before = worker.ask(DescribeDevice(**common("1" * 32))).result
    worker.ask(AdoptDevice(**common("2" * 32), pool_id=POOL_ID, new_device_id=DEVICE_ID))
    after = worker.ask(DescribeDevice(**common("3" * 32))).result

    assert [before.condition, after.condition] == ["empty", "ready"]
    assert [after.device_id, after.pool_id] == [DEVICE_ID, POOL_ID]


def test_its_lease_names_its_main_process(worker: Worker) -> None:
    (lease,) = worker.leases()

    assert lease.pid == worker.pid
    assert lease.order_id == ""


def test_a_stored_segment_holds_what_the_source_holds(adopted: Worker) -> None:
    receipt = adopted.ask(store())

    assert receipt.failure is None
    assert receipt.order_id == "e" * 32
    (segment,) = segments(adopted)
    assert segment.name == f"{'e' * 32}.seg"
    assert receipt.result.bytes_stored == segment.stat().st_size
    assert files_in([segment]) == {"data/file": CONTENT, "data/folder/other": b"other"}


def test_an_order_that_comes_twice_is_carried_out_once_and_answered_twice(adopted: Worker) -> None:
    first = adopted.ask(store())
    stored = look_at(adopted.device)
    second = adopted.ask(store())

    assert first.failure is second.failure is None
    assert second.result.bytes_stored == first.result.bytes_stored
    assert look_at(adopted.device) == stored


def test_an_order_that_comes_again_after_the_worker_was_killed_finds_its_segment(adopted: Worker) -> None:
    first = adopted.ask(store())
    adopted.restart()

    second = adopted.ask(store())

    assert second.failure is None
    assert second.result.bytes_stored == first.result.bytes_stored
    assert len(segments(adopted)) == 1


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (store(source="elsewhere"), "not-configured"),
        (store(device="b"), "not-configured"),
        (store(device_id="f" * 32), "not-a-device"),
        (store(device_id=""), "not-a-device"),
    ],
    ids=["a source it does not have", "another device", "a device with another id", "a device without an id"],
)
def test_an_order_for_somebody_else_is_refused_and_writes_nothing(
    steadfast: Worker, order: StoreSegment, code: str
) -> None:
    before = look_at(steadfast.device)

    receipt = steadfast.ask(order)

    assert receipt.failure is not None
    assert receipt.failure.code == code
    assert look_at(steadfast.device) == before


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "folder/../../secret", "file\0"])
def test_an_order_that_leads_out_of_the_source_is_refused_and_the_worker_continues(
    steadfast: Worker, path: str
) -> None:
    wire = encode(store())
    wire["extents"] = {"paths": [path], "offsets_bytes": [0], "sizes_bytes": [5]}

    steadfast.send_raw("segfleet.store", wire)

    refused = steadfast.receipt()
    assert refused.failure is not None
    assert refused.failure.code == "message"
    assert steadfast.ask(DescribeDevice(**common("4" * 32))).order_id == "4" * 32
    assert segments(steadfast) == []
    assert "refused a segfleet.store message" in steadfast.log()


def test_a_symlink_in_the_source_leads_to_no_file_outside(adopted: Worker) -> None:
    (adopted.folder / "data" / "folder" / "other").unlink()
    (adopted.folder / "data" / "folder" / "other").symlink_to(adopted.folder / "secret")

    receipt = adopted.ask(store())

    assert receipt.failure is None
    assert [note.index for note in receipt.result.notes] == [1]
    assert files_in(segments(adopted))["data/folder/other"] == bytes(5)


@pytest.mark.parametrize(
    "order",
    [None, [], "text", {}, {"version": 2}, {"version": 1, "surprise": 1}],
    ids=["null", "a list", "text", "nothing", "a later version", "unknown keys"],
)
def test_a_message_that_is_no_order_is_dropped_and_the_worker_continues(steadfast: Worker, order: Any) -> None:
    steadfast.send_raw("segfleet.store", order)

    assert steadfast.ask(DescribeDevice(**common("4" * 32))).order_id == "4" * 32


def test_a_worker_that_is_told_to_end_gives_up_its_lease_and_leaves_no_process(adopted: Worker) -> None:
    family = [psutil.Process(adopted.pid), *psutil.Process(adopted.pid).children(recursive=True)]

    assert adopted.stop() == 0

    assert adopted.leases() == []
    eventually(lambda: not any(map(psutil.Process.is_running, family)), "the worker's child is gone")


def test_a_killed_worker_takes_its_child_along_and_its_lease_runs_out(adopted: Worker) -> None:
    main = psutil.Process(adopted.pid)
    children = main.children(recursive=True)
    assert children

    main.kill()

    eventually(lambda: not any(map(psutil.Process.is_running, children)), "the worker's child is gone")
    eventually(lambda: not adopted.leases(), "the lease has run out")


def test_a_worker_of_celery_alone_refuses_to_start_rather_than_lose_orders() -> None:
    command = [sys.executable, "-m", "celery", "-A", "tasks.app", "-b", "redis://127.0.0.1:1", "worker"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "segfleet: this process has no devices" in done.stderr
    assert "segfleet worker DEVICE" in done.stderr
    assert "Traceback" not in done.stderr
