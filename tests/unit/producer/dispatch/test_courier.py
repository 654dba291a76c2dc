"""Which receipts count, which orders are sent again, and what a window holds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kit.models.offline import Offline, offline, receipt_for, report
from producer.dispatch import courier as courier_module
from producer.dispatch import life_signs as signs_module
from producer.dispatch.courier import WINDOW_COUNT, Courier
from tasks.errors import NoParcelError, RunOverError, SegfleetError
from tasks.orders import DescribeDevice, Order, RestoreEntries
from tasks.receipts import Failure, Receipt, RestoreResult


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Offline]:
    """A run on devices a and b, whose workers have not answered yet."""
    with offline(tmp_path) as run:
        run.wires.answers = lambda order: None
        yield run


def order(device: str = "a", **fields: Any) -> DescribeDevice:
    common = {"run_id": "1" * 32, "order_id": uuid.uuid4().hex, "device": device, "device_id": "", "epoch": 3}
    return DescribeDevice(**{**common, "attempt": 1, "reply_to": "manager.x", **fields})


def poll(run: Offline) -> list[Order]:
    return [answered for answered, _ in run.session.courier.poll(0)]


def test_an_order_is_in_flight_until_its_receipt_has_come(run: Offline) -> None:
    first = order()
    run.session.courier.send([first])
    assert run.session.courier.in_flight("a") == [first]
    assert poll(run) == []
    run.wires.put(receipt_for(first, report()))
    assert poll(run) == [first]
    assert run.session.courier.in_flight_count == 0


def test_a_receipt_that_comes_twice_counts_once(run: Offline) -> None:
    first = order()
    run.session.courier.send([first])
    run.wires.put(receipt_for(first, report()))
    run.wires.put(receipt_for(first, report()))
    assert poll(run) == [first]
    assert poll(run) == []
    assert run.session.courier.strays().receipts_dropped == 1


@pytest.mark.parametrize(
    "changes",
    [{"epoch": 2}, {"epoch": 4}, {"attempt": 2}, {"device": "b"}, {"device": "unknown"}, {"order_id": "f" * 32}],
    ids=str,
)
def test_a_receipt_that_does_not_fit_the_order_in_flight_is_dropped(run: Offline, changes: dict[str, Any]) -> None:
    first = order()
    run.session.courier.send([first])
    run.wires.put(replace(receipt_for(first, report()), **changes))
    assert poll(run) == []
    assert run.session.courier.strays().receipts_dropped == 1
    assert run.session.courier.in_flight("a") == [first]


def test_the_window_shrinks_with_each_order_and_a_dead_device_has_none(run: Offline) -> None:
    courier = run.session.courier
    orders = [order() for _ in range(WINDOW_COUNT)]
    courier.send(orders[:3])
    assert (courier.room("a"), courier.room("b"), courier.room("a", 2)) == (WINDOW_COUNT - 3, WINDOW_COUNT, 0)
    courier.send(orders[3:])
    assert courier.room("a") == 0
    assert courier.drop("a") == orders
    assert (courier.room("a"), courier.in_flight_count, courier.live) == (0, 0, ["b"])


def test_the_receipt_of_a_dropped_device_comes_too_late(run: Offline) -> None:
    first = order()
    run.session.courier.send([first])
    run.session.courier.drop("a")
    run.wires.put(receipt_for(first, report()))
    assert poll(run) == []


# ---- lost messages


@pytest.fixture
def looking_always(run: Offline, monkeypatch: pytest.MonkeyPatch) -> Courier:
    """The run's courier, which looks for lost orders at each poll: no test waits for its interval."""
    monkeypatch.setattr(courier_module, "_RECONCILE_EVERY_S", 0.0)
    run.session.courier._next_reconcile_s = 0.0
    return run.session.courier


def test_an_order_that_is_missing_twice_is_sent_again(run: Offline, looking_always: Courier) -> None:
    run.wires.loses = True
    first = order()
    looking_always.send([first])
    run.wires.loses = False
    poll(run)
    assert run.wires.sent == [first]
    poll(run)
    assert run.wires.sent == [first, first]
    assert looking_always.strays().orders_resent == 1
    run.wires.put(receipt_for(first, report()))
    assert poll(run) == [first]


def test_an_order_that_waits_in_its_queue_is_not_sent_again(run: Offline, looking_always: Courier) -> None:
    first = order()
    looking_always.send([first])
    for _ in range(5):
        poll(run)
    assert run.wires.sent == [first]


def test_an_order_that_is_missing_now_and_again_is_not_sent_again(run: Offline, looking_always: Courier) -> None:
    first = order()
    looking_always.send([first])
    queue = run.wires.queues["device.a"]
    for _ in range(3):
        message = queue.popleft()
        poll(run)
        queue.append(message)
        poll(run)
    assert run.wires.sent == [first]


# ---- orders that go elsewhere


def test_what_is_taken_back_is_in_flight_no_more_and_what_a_worker_holds_stays(run: Offline) -> None:
    held, waiting = order(), order()
    run.session.courier.send([held, waiting])
    run.wires.queues["device.a"].popleft()
    assert run.session.courier.withdraw([held, waiting]) == [waiting]
    assert run.session.courier.in_flight("a") == [held]


def test_the_orders_of_a_dropped_device_go_to_others_as_theirs(run: Offline) -> None:
    courier, first, lost = run.session.courier, order(), order()
    courier.send([first])
    run.wires.loses = True
    courier.send([lost])
    orders = courier.drop("a")
    moved = courier.readdress("a", orders, lambda _: {"device": "b", "device_id": "2" * 32, "epoch": 7})
    assert moved == {first.order_id}
    (readdressed,) = courier.in_flight("b")
    assert (readdressed.device_id, readdressed.epoch) == ("2" * 32, 7)
    run.wires.put(receipt_for(first, report()))
    assert poll(run) == []
    run.wires.answers = lambda order: report()
    assert poll(run) == [readdressed]


# ---- signs of life, and the end


def entries(device: str = "a", **fields: Any) -> RestoreEntries:
    plain = order(device)
    common = {name: getattr(plain, name) for name in Order.__struct_fields__ if name != "version"}
    return RestoreEntries(**{**common, "target": "t", "entries": (), "overwrite": "always", **fields})


def refusal(why: type[SegfleetError] = RunOverError) -> Failure:
    return Failure(reason=why.reason, code=why.code, message="not now")


@pytest.mark.parametrize("why", [RunOverError, NoParcelError])
def test_an_order_that_a_worker_refuses_for_want_of_its_run_or_its_parcel_is_sent_again_and_answered_once(
    run: Offline, why: type[SegfleetError]
) -> None:
    courier, first = run.session.courier, entries()
    courier.send([first])
    run.wires.queues["device.a"].clear()
    run.wires.put(receipt_for(first, refusal(why)))

    assert poll(run) == []

    assert run.wires.sent == [first, first]
    assert courier.in_flight("a") == [first]
    assert courier.strays().orders_refused == 1
    run.wires.put(receipt_for(first, RestoreResult(files_count=0, bytes_restored=0, skipped_count=0, troubles=())))
    assert poll(run) == [first]


def test_a_run_gives_a_sign_of_life_before_its_first_order_that_must_not_outlive_it_and_again_while_it_waits(
    run: Offline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs_module, "SIGN_EVERY_S", 0.0)
    courier = run.session.courier
    courier.send([order()])
    poll(run)
    assert run.wires.signs == []
    courier.send([entries()])
    assert run.wires.signs == ["lives"]
    poll(run)
    courier.end()
    assert run.wires.signs == ["lives", "lives", "over"]


def test_at_its_end_a_run_takes_back_what_no_worker_has_begun_also_at_devices_that_it_has_lost(run: Offline) -> None:
    courier = run.session.courier
    courier.send([entries("a"), entries("b")])
    courier.drop("b")
    courier.end()
    assert not any(run.wires.queues.values())


@pytest.fixture
def ending(run: Offline, monkeypatch: pytest.MonkeyPatch) -> Offline:
    """A run whose device a belongs to an agent."""
    monkeypatch.setattr(run.processes, "is_shared", lambda device: device == "a")
    return run


def waits_for(run: Offline, monkeypatch: pytest.MonkeyPatch, *late: Receipt) -> bool:
    """Whether the end of the run takes all these receipts, which come one after another."""
    left = list(late)
    monkeypatch.setattr(run.wires, "receipts", lambda timeout_s: [left.pop(0)] if left else [])
    monkeypatch.setattr(courier_module, "_LAST_RECEIPTS_S", 60.0)
    run.session.courier.end()
    return not left


def test_at_its_end_a_run_waits_for_what_an_agent_writes_to_a_target(
    ending: Offline, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_agent, here = entries("a"), entries("b")
    ending.session.courier.send([at_agent, here])
    ending.wires.queues.clear()

    assert waits_for(ending, monkeypatch, receipt_for(at_agent, refusal()))


def test_at_its_end_a_run_does_not_wait_for_what_no_worker_has_begun(
    ending: Offline, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = entries("a")
    ending.session.courier.send([waiting])

    assert not waits_for(ending, monkeypatch, receipt_for(waiting, refusal()))


@pytest.mark.parametrize("is_queued_too", [False, True])
def test_at_its_end_a_run_waits_for_each_delivery_of_an_order_that_came_twice(
    ending: Offline, monkeypatch: pytest.MonkeyPatch, is_queued_too: bool
) -> None:
    twice = entries("a")
    ending.session.courier.send([twice])
    if not is_queued_too:
        ending.wires.queues.clear()
    ending.wires.held = [twice.order_id, twice.order_id]

    assert waits_for(ending, monkeypatch, receipt_for(twice, refusal()), receipt_for(twice, refusal()))


def test_at_its_end_a_run_waits_for_the_second_delivery_of_an_order_that_was_answered(
    ending: Offline, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = entries("a")
    done = receipt_for(answered, RestoreResult(files_count=0, bytes_restored=0, skipped_count=0, troubles=()))
    ending.session.courier.send([answered])
    ending.wires.queues.clear()
    ending.wires.put(done)
    assert poll(ending) == [answered]
    ending.wires.held = [answered.order_id]

    assert waits_for(ending, monkeypatch, done)


def test_what_a_lost_device_had_to_restore_is_not_carried_out_when_it_is_back(run: Offline) -> None:
    courier, lost = run.session.courier, entries("a", device_id="2" * 32)
    courier.send([lost])
    assert courier.give_up("a") == [lost]
    assert not run.wires.queues["device.a"]
    assert run.wires.fenced == {"2" * 32: lost.epoch + 1}
