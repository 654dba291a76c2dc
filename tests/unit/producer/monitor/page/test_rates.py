"""Rates of the devices of a running backup."""

from __future__ import annotations

from datetime import UTC, datetime

from producer.monitor.page.rates import Rates
from producer.monitor.running import RunningBackup, RunningDevice


def backup(bytes_done: int) -> tuple[RunningBackup, ...]:
    device = RunningDevice(
        device="a", bytes_done=bytes_done, bytes_total=1000, segments_done=0, segments_total=0, rerouted_count=0
    )
    return (
        RunningBackup(
            volume="home",
            snapshot_id="s",
            phase="storing",
            since=datetime.now(UTC),
            planned_at=None,
            is_resumed=False,
            held_by="",
            devices=(device,),
        ),
    )


def test_a_rate_is_what_moved_within_the_last_minute() -> None:
    rates = Rates()
    for at_s, bytes_done in ((0, 0), (10, 900), (65, 900), (75, 930)):
        rates.look(backup(bytes_done), at_s)
    assert rates.bytes_per_s("s", "a") == 30 / 65


def test_there_is_no_rate_before_two_looks_or_after_the_end() -> None:
    rates = Rates()
    assert rates.bytes_per_s("s", "a") is None
    rates.look(backup(0), 0)
    rates.look(backup(10), 1)
    assert rates.bytes_per_s("s", "a") is None
    rates.look(backup(100), 10)
    assert rates.bytes_per_s("s", "a") == 10
    rates.look((), 11)
    assert rates.bytes_per_s("s", "a") is None
