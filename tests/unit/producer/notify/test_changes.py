"""One message for each change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from producer.notify.changes import AGAIN_AFTER, Condition, Told, of_condition, of_recovery

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def dead(state: str = "dead") -> Condition:
    return Condition(key="device a", state=state, topic="device", title=f"device a is {state}", body="")


def told(state: str = "dead", ago: timedelta = timedelta(0)) -> dict[str, Told]:
    return {"device a": Told(state=state, title=f"device a is {state}", at=NOW - ago)}


def test_what_is_new_is_told_and_then_known() -> None:
    change = of_condition(dead(), {}, NOW)
    assert change is not None
    assert change.message.title == "device a is dead"
    assert of_condition(dead(), {change.key: change.told} if change.told else {}, NOW) is None


def test_another_state_is_a_change() -> None:
    assert of_condition(dead("absent"), told(), NOW) is not None


def test_what_lasts_is_not_told_again() -> None:
    assert of_condition(dead(), told(ago=timedelta(days=99)), NOW) is None


def test_what_happens_again_is_told_again_after_a_while() -> None:
    assert of_condition(dead(), told(ago=AGAIN_AFTER - timedelta(minutes=1)), NOW, repeats=True) is None
    assert of_condition(dead(), told(ago=AGAIN_AFTER), NOW, repeats=True) is not None


def test_a_recovery_is_told_to_who_was_told_of_the_trouble() -> None:
    assert of_recovery("device a", {}, "device a is back") is None
    change = of_recovery("device a", told(), "device a is back")
    assert change is not None
    assert (change.message.topic, change.told) == ("recovered", None)
    assert "device a is dead" in change.message.body
