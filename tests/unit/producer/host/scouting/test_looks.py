"""Looks by scouts: what they bring back, and what a silent file system costs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from kit.deadlines import DEADLINE_S, eventually
from producer.host.places import file_systems_of, folders_here, silent_devices
from producer.host.scouting import scouts
from producer.host.scouting.looks import LIMIT_VARIABLE, SilentError, give_sign, look, look_at_each, look_through
from tasks.errors import UsageError


def wait_for_ever(_: Path) -> str:
    time.sleep(DEADLINE_S)
    return "too late"


def nothing() -> None:
    pass


@pytest.fixture(autouse=True)
def a_short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.5")


def test_a_look_brings_back_what_was_seen_and_what_went_wrong(tmp_path: Path) -> None:
    assert look(tmp_path, Path.stat).st_ino == tmp_path.stat().st_ino
    with pytest.raises(FileNotFoundError):
        look(tmp_path / "none", Path.stat)

    def refuse(path: Path) -> None:
        raise UsageError("not this one", hint="another", path=str(path))

    with pytest.raises(UsageError, match="not this one") as refusal:
        look(tmp_path, refuse)
    assert (refusal.value.hint, refusal.value.path) == ("another", str(tmp_path))


def test_what_does_not_answer_is_named_and_the_others_are_seen(tmp_path: Path) -> None:
    paths = {"a": tmp_path, "b": tmp_path / "silent", "c": Path("/")}
    seen = look_at_each(paths, lambda path: wait_for_ever(path) if path.name == "silent" else "seen")
    assert [seen["a"], seen["c"]] == ["seen", "seen"]
    assert isinstance(seen["b"], SilentError)
    assert f"{tmp_path}/silent does not answer" in seen["b"].message


def test_what_was_silent_is_not_asked_again(tmp_path: Path) -> None:
    with pytest.raises(SilentError):
        look(tmp_path, wait_for_ever)
    with pytest.raises(SilentError):
        look(tmp_path, str)
    assert folders_here({"a": tmp_path}) == {"a": tmp_path}
    assert list(silent_devices({"a": tmp_path, "b": Path("/")}, nothing)) == ["a"]


def test_devices_that_have_just_answered_are_not_asked_whether_they_do(tmp_path: Path) -> None:
    forks: list[None] = []
    os.register_at_fork(before=lambda: forks.append(None))
    (tmp_path / "b").mkdir()
    devices = {"a": tmp_path, "b": tmp_path / "b"}

    file_systems_of(devices)
    asked = len(forks)

    assert asked == 2
    assert silent_devices(devices, nothing) == {}
    assert len(forks) == asked


def test_a_device_that_has_answered_and_then_does_not_is_silent(tmp_path: Path) -> None:
    file_systems_of({"a": tmp_path})
    with pytest.raises(SilentError):
        look(tmp_path, wait_for_ever)

    assert list(silent_devices({"a": tmp_path}, nothing)) == ["a"]


def test_a_look_that_shows_progress_may_take_longer_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "3")

    def take_long(_: Path) -> str:
        until_s = time.monotonic() + 3.5
        while time.monotonic() < until_s:
            give_sign()
            time.sleep(0.05)
        return "seen"

    assert look(tmp_path, take_long) == "seen"


def test_items_come_one_by_one_until_the_file_system_falls_silent(tmp_path: Path) -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        wait_for_ever(tmp_path)

    seen = look_through(tmp_path, items, limit_s=0.5, on_wait=nothing)
    assert [next(seen), next(seen)] == [1, 2]
    with pytest.raises(SilentError):
        next(seen)


def test_a_look_can_be_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, str(DEADLINE_S))
    before = _running_children()
    with pytest.raises(KeyboardInterrupt):
        look(tmp_path, wait_for_ever, on_wait=_raiser(KeyboardInterrupt))
    eventually(lambda: _running_children() <= before, "the scout is gone")


def _raiser(error: type[BaseException]) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def _running_children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def test_a_scout_that_ends_late_is_no_zombie_after_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {child.pid for child in psutil.Process().children()}
    with monkeypatch.context() as patched:
        patched.setattr(scouts, "_has_ended", lambda pid: False)
        look(tmp_path, Path.exists)
    (late,) = {child.pid for child in psutil.Process().children()} - before
    eventually(lambda: psutil.Process(late).status() == psutil.STATUS_ZOMBIE, "the scout has ended")
    look(tmp_path, Path.exists)
    assert not psutil.pid_exists(late)
