"""Asking every device what it is, and taking new ones into the pool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.offline import Offline, offline, report
from producer.pool.decide import decide_pool
from producer.pool.device_reports import adopt_devices, ask_for_reports
from tasks.errors import DeviceError, Reason
from tasks.orders import Order
from tasks.receipts import Failure


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Offline]:
    with offline(tmp_path) as run:
        yield run


def test_every_device_is_asked_once_and_its_report_is_kept_by_name(run: Offline) -> None:
    run.devices.reports["b"] = report(condition="missing", detail="no such folder")
    reports = ask_for_reports(run.session).wait()
    assert {name: its.condition for name, its in reports.items()} == {"a": "empty", "b": "missing"}
    assert sorted(order.device for order in run.wires.sent) == ["a", "b"]


def test_the_survey_is_complete_when_the_last_device_has_answered(run: Offline) -> None:
    run.wires.answers = lambda order: run.devices.answer(order) if order.device == "a" else None
    asked = ask_for_reports(run.session)
    assert not asked.collect(0)
    assert asked.reports.keys() == {"a"}
    run.wires.answers = run.devices.answer
    assert asked.collect(0)


def test_a_worker_that_ends_before_it_answers_ends_the_run_and_says_to_look_at_its_log(run: Offline) -> None:
    run.wires.answers = lambda order: None
    asked = ask_for_reports(run.session)
    run.processes.kill("b")
    with pytest.raises(DeviceError, match=r"device b: its worker ended \(signal SIGKILL\)") as caught:
        asked.wait()
    assert "log" in caught.value.hint


def test_to_read_a_device_whose_worker_ends_is_missing_and_the_others_suffice(run: Offline) -> None:
    run.wires.answers = lambda order: run.devices.answer(order) if order.device == "a" else None
    asked = ask_for_reports(run.session, may_lose=run.session.paths)
    run.processes.kill("b")
    reports = asked.wait()
    assert {name: its.condition for name, its in reports.items()} == {"a": "empty", "b": "missing"}
    assert "signal SIGKILL" in reports["b"].detail
    assert run.session.courier.live == ["a"]


def test_a_worker_that_ends_while_its_device_is_taken_into_the_pool_ends_the_run(run: Offline) -> None:
    decision = decide_pool(ask_for_reports(run.session).wait(), run.session.paths, ())

    def dies(order: Order) -> None:
        run.processes.kill(order.device)

    run.wires.answers = dies
    with pytest.raises(DeviceError, match=r"device a: its worker ended \(signal SIGKILL\)"):
        adopt_devices(run.session, decision)


def test_a_device_that_cannot_say_what_it_is_ends_the_run(run: Offline) -> None:
    run.wires.answers = lambda order: Failure(reason=Reason.DEVICE, code="device", message="I/O error", hint="look")
    with pytest.raises(DeviceError, match=r"device [ab]: I/O error") as caught:
        ask_for_reports(run.session).wait()
    assert caught.value.hint == "look"


def test_a_device_that_may_be_lost_is_missing_when_it_cannot_say_what_it_is(run: Offline) -> None:
    refusal = Failure(reason=Reason.DEVICE, code="device", message="I/O error", hint="look")
    run.wires.answers = lambda order: refusal if order.device == "b" else run.devices.answer(order)
    reports = ask_for_reports(run.session, may_lose={"b"}).wait()
    assert (reports["b"].condition, reports["b"].detail) == ("missing", "I/O error")
    assert run.session.courier.live == ["a"]


def test_who_was_lost_in_one_survey_is_missing_in_the_next(run: Offline) -> None:
    run.session.courier.drop("b")
    assert ask_for_reports(run.session).wait()["b"].condition == "missing"


def test_new_devices_get_the_ids_that_were_decided(run: Offline) -> None:
    asked = ask_for_reports(run.session)
    decision = decide_pool(asked.wait(), run.session.paths, ())
    reports = adopt_devices(run.session, decision)
    assert {name: its.device_id for name, its in reports.items()} == decision.adopt
    assert {its.pool_id for its in reports.values()} == {decision.pool_id}
