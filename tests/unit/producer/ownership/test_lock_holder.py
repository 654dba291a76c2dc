"""Taking locks: from owners that live, that are gone, and that may be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kit.deadlines import eventually
from kit.models.owners import change_owners, enter_owner
from producer.catalog.catalog import Catalog
from producer.host.processes import pid_space
from producer.ownership import heartbeat
from producer.ownership.lock_holder import LockHolder, volume_lock
from producer.ownership.unlock import look, unlock
from producer.ownership.verdict import GONE_S, SUSPECT_S
from tasks.errors import LockedError

HOME = volume_lock("home")

HOLD = """
import sys
from producer.catalog.catalog import Catalog
from producer.ownership.lock_holder import LockHolder

with Catalog(sys.argv[1]) as catalog, LockHolder(catalog, sys.argv[1], manager="tower") as holder:
    with holder.holding("volume home", purpose="backup of home"):
        print("held", flush=True)
        sys.stdin.readline()
"""


class Taker:
    """Takes the lock of the volume, once, in a catalog that it opens for itself."""

    def __init__(self, url: str, manager: str = "") -> None:
        self.url = url
        self.manager = manager
        self.notes: list[str] = []
        #: Called with each note.
        self.on_note: Callable[[], object] = lambda: None

    def take(self, *, patience_s: float = 0.0) -> None:
        with (
            Catalog(self.url) as catalog,
            LockHolder(catalog, self.url, manager=self.manager, note=self._note) as holder,
            holder.holding(HOME, purpose="mine", patience_s=patience_s),
        ):
            assert [lock.purpose for lock in catalog.locks.all()] == ["mine"]

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.on_note()


@pytest.fixture
def taker(catalog_url: str) -> Taker:
    return Taker(catalog_url)


@contextmanager
def held_by_another_process(url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@contextmanager
def held_here(url: str, volume: str) -> Iterator[None]:
    with (
        Catalog(url) as catalog,
        LockHolder(catalog, url) as holder,
        holder.holding(volume_lock(volume), purpose=f"backup of {volume}"),
    ):
        yield


def left_behind(catalog: Catalog, url: str, *, silent_s: float, manager: str = "") -> str:
    """A lock of an owner at another host."""
    owner_id = enter_owner(catalog, manager=manager, pid=os.getpid())
    assert catalog.locks.take(HOME, owner_id, "backup of home")
    change_owners(url, silent_s=silent_s)
    return owner_id


def test_a_lock_whose_owner_lives_is_refused_at_once_and_its_owner_named(taker: Taker, catalog_url: str) -> None:
    with held_by_another_process(catalog_url) as process, pytest.raises(LockedError) as caught:
        taker.take()
    assert caught.value.exit_code == 11
    assert f"volume home is in use by backup of home (pid {process.pid} on {os.uname().nodename}" in str(caught.value)
    assert ", manager tower, since 20" in str(caught.value)
    assert "end it" in caught.value.hint
    assert taker.notes == []


def test_a_lock_whose_owner_was_killed_is_taken_over(taker: Taker, catalog_url: str) -> None:
    with held_by_another_process(catalog_url) as process:
        process.kill()
        process.wait()
        taker.take()
    [note] = taker.notes
    assert note.startswith("the previous backup of home did not finish")


def test_an_owner_that_ends_in_order_leaves_nothing(taker: Taker, catalog: Catalog, catalog_url: str) -> None:
    with held_by_another_process(catalog_url) as process:
        process.communicate("\n")
    assert (catalog.locks.all(), catalog.owners.all()) == ([], [])
    taker.take()
    assert taker.notes == []


def test_a_process_that_has_the_number_of_the_owner_does_not_count(taker: Taker, catalog: Catalog) -> None:
    catalog.locks.take(HOME, enter_owner(catalog, space=pid_space(), pid=os.getpid(), start="1"), "x")
    taker.take()


def test_an_owner_at_another_host_that_was_heard_of_is_refused_at_once(
    taker: Taker, catalog: Catalog, catalog_url: str
) -> None:
    left_behind(catalog, catalog_url, silent_s=0)
    with pytest.raises(LockedError, match=r"\(pid \d+ on far, since") as caught:
        taker.take()
    assert (
        caught.value.hint
        == "wait for it to end (--wait TIME), or end it on far; if it is gone, the lock is free after 60 s"
    )
    assert taker.notes == []


def test_an_owner_at_another_host_that_was_silent_for_too_long_is_gone(
    taker: Taker, catalog: Catalog, catalog_url: str
) -> None:
    left_behind(catalog, catalog_url, silent_s=GONE_S + 1)
    taker.take()


def test_a_suspect_owner_is_refused_as_soon_as_it_gives_a_sign_of_life(
    taker: Taker, catalog: Catalog, catalog_url: str
) -> None:
    owner_id = left_behind(catalog, catalog_url, silent_s=SUSPECT_S + 1)
    taker.on_note = lambda: catalog.owners.renew(owner_id)
    with pytest.raises(LockedError, match="on far"):
        taker.take()
    assert ["gave no sign of life" in note for note in taker.notes] == [True]


def test_a_suspect_owner_is_waited_for_until_it_is_gone(taker: Taker, catalog: Catalog, catalog_url: str) -> None:
    left_behind(catalog, catalog_url, silent_s=SUSPECT_S + 1)
    taker.on_note = lambda: change_owners(catalog_url, silent_s=GONE_S + 1) if len(taker.notes) == 1 else None
    taker.take()
    assert [note.split()[0] for note in taker.notes] == ["waiting", "the"]


def test_the_run_of_a_manager_that_was_started_again_elsewhere_is_gone_within_seconds(
    catalog: Catalog, catalog_url: str
) -> None:
    left_behind(catalog, catalog_url, silent_s=0, manager="tower")
    taker = Taker(catalog_url, manager="tower")
    taker.on_note = lambda: change_owners(catalog_url, silent_s=SUSPECT_S + 1) if len(taker.notes) == 1 else None
    taker.take()


def test_who_has_patience_waits_for_an_owner_that_lives(taker: Taker, catalog_url: str) -> None:
    with held_by_another_process(catalog_url) as process:
        taker.on_note = lambda: process.communicate("\n") and None
        taker.take(patience_s=60)
    assert [note.split()[0] for note in taker.notes] == ["waiting"]


def test_an_owner_is_renewed_until_it_is_no_more(
    catalog: Catalog, catalog_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "RENEW_S", 0.02)
    beat = heartbeat.Heartbeat(catalog_url, enter_owner(catalog))
    beat.start()
    eventually(lambda: catalog.owners.all()[0].beats_count > 2, "it was renewed")
    while catalog.owners.all() and not catalog.owners.remove(*catalog.owners.all()):
        continue
    eventually(lambda: not beat.is_alive, "it has ended by itself")
    beat.stop()


def test_unlock_removes_the_locks_of_owners_that_are_gone_and_of_no_others(catalog: Catalog, catalog_url: str) -> None:
    left_behind(catalog, catalog_url, silent_s=GONE_S + 1)
    enter_owner(catalog, space=pid_space(), start="1")
    with held_here(catalog_url, "srv"):
        listed = look(catalog)
        assert [(row.lock.name, row.owner, row.removed) for row in listed] == [
            ("volume home", "gone", False),
            ("volume srv", "alive", False),
        ]
        assert [row.lock.name for row in look(catalog, ["srv", "none"])] == ["volume srv"]
        assert [row.removed for row in unlock(catalog, ["srv"])] == [False]
        assert len(catalog.locks.all()) == 2

        assert [(row.lock.name, row.removed) for row in unlock(catalog)] == [
            ("volume home", True),
            ("volume srv", False),
        ]
        assert [lock.name for lock in catalog.locks.all()] == ["volume srv"]
        assert len(catalog.owners.all()) == 1
