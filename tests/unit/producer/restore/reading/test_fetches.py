"""Ranges that are asked for one by one, of devices that answer, fail or die."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.objects import stored_object
from kit.models.offline import Answer, Devices, Offline
from kit.models.rows import device_row
from producer.catalog.catalog import Catalog
from producer.restore.reading.fetches import Fetches
from producer.restore.reading.ways import Answers, Piece
from tasks.errors import DamagedError, Reason
from tasks.orders import Order, ReadSegment
from tasks.receipts import Failure, ReadResult

IDS = {"a": "a" * 32, "b": "b" * 32}


def piece(device: str, offset_bytes: int = 0, size_bytes: int = 10) -> Piece:
    held = stored_object(device=device, device_id=IDS.get(device, "e" * 32))
    return Piece(object=held, stream_offset_bytes=offset_bytes, offset_bytes=0, size_bytes=size_bytes)


def content(order: Order) -> bytes:
    assert isinstance(order, ReadSegment)
    return bytes(
        (ord(order.device) + at) % 256
        for at in range(order.stream_offset_bytes, order.stream_offset_bytes + order.size_bytes)
    )


def whole(order: Order) -> Answer:
    return ReadResult(data_base64=base64.b64encode(content(order)).decode())


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Offline]:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        run = Offline(catalog, "ab", Devices({}))
        run.wires.answers = whole
        yield run


def fetches_of(run: Offline) -> Fetches:
    return Fetches(run.session, {device_id: name for name, device_id in IDS.items()}, None)


def test_bytes_come_in_the_order_in_which_they_are_wanted(run: Offline) -> None:
    fetches = fetches_of(run)

    first, second = fetches.begin(piece("a", 5)), fetches.begin(piece("b", 7))

    assert b"".join(fetches.read(second)) == bytes(ord("b") + at for at in range(7, 17))
    assert b"".join(fetches.read(first)) == bytes(ord("a") + at for at in range(5, 15))


def test_a_range_that_a_device_cannot_read_is_lost_and_the_next_one_is_not(run: Offline) -> None:
    fetches = fetches_of(run)
    failure = Failure(reason=Reason.DEVICE, code="damaged", message="unit 3 is damaged")
    run.wires.answers = lambda order: failure if content(order)[0] == ord("a") else whole(order)

    lost, sound = fetches.begin(piece("a")), fetches.begin(piece("a", 20))

    with pytest.raises(DamagedError, match="unit 3 is damaged"):
        list(fetches.read(lost))
    assert b"".join(fetches.read(sound)) == bytes(ord("a") + at for at in range(20, 30))


def test_an_answer_without_all_of_the_bytes_is_damage(run: Offline) -> None:
    # The courier drops such a receipt; what reads its bytes does not rely on that.
    answers = Answers()
    order = answers.order(piece("a"), run.session.order_fields("a", device_id=IDS["a"]))

    with pytest.raises(DamagedError, match="5 bytes instead of 10"):
        answers.take(order, ReadResult(data_base64=base64.b64encode(b"short").decode()))


def test_a_device_that_is_not_there_is_asked_nothing(run: Offline) -> None:
    fetch = fetches_of(run).begin(piece("other"))

    assert fetch.done and fetch.error is not None and "other" in fetch.error.message
    assert run.wires.sent == []


def test_what_a_dead_device_was_asked_for_is_lost_and_the_other_goes_on(run: Offline) -> None:
    fetches = fetches_of(run)
    run.wires.answers = lambda order: None if order.device == "a" else whole(order)
    waiting = fetches.begin(piece("a"))

    run.processes.ended["a"] = "signal SIGKILL"

    with pytest.raises(DamagedError, match="device a died"):
        list(fetches.read(waiting))
    assert fetches.begin(piece("a")).error is not None
    assert b"".join(fetches.read(fetches.begin(piece("b")))) == bytes(ord("b") + at for at in range(10))
    assert any("device a died" in note for note in run.observer.notes)


@pytest.mark.parametrize(("is_lost", "word", "has_hint"), [(False, "absent", True), (True, "lost", False)])
def test_nobody_is_told_to_mount_a_device_that_is_lost(run: Offline, is_lost: bool, word: str, has_hint: bool) -> None:
    run.catalog.devices.record(device_row("c", device_id="e" * 32, state="lost" if is_lost else "absent"))

    error = fetches_of(run).why_absent(piece("c"))

    assert error is not None
    assert (str(error), bool(error.hint)) == (f"a part lies on device c, which is {word}", has_hint)
