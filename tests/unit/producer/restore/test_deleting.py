"""``--delete``: what the restored folders hold and the snapshot does not is removed, and nothing else."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.tree import Entry, Folder, Symlink, Tree, noise
from producer.restore.planning.folder_names import in_orders, questions
from tasks.errors import DamagedError, TargetError
from tasks.orders import Order, RestoreEntries, RestoreSegment

SOURCE: dict[str, Entry | bytes] = {
    "docs/one": b"one",
    "docs/deep/two": b"two",
    "large": noise(150_000),
    "link": Symlink("x"),
    "empty": Folder(),
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path) as made:
        made.back_up({"data": Tree(SOURCE).make(tmp_path / "data")})
        made.restore()
        yield made


def held(target: Path) -> set[str]:
    return {str(path.relative_to(target)) for path in target.rglob("*")}


def add(target: Path, *paths: str) -> None:
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(b"mine")


def test_what_the_snapshot_does_not_have_goes_and_what_lies_beside_its_folders_stays(made: InProcess) -> None:
    before = held(made.target)
    add(made.target, "data/mine", "data/docs/deep/mine", "data/empty/mine", "data/new/folder/mine", "beside/mine")
    (made.target / "data/dangling").symlink_to(made.folder)
    summary = made.restore(overwrite="if-changed", delete=True)
    assert held(made.target) == before | {"beside", "beside/mine"}
    assert (summary.removed, summary.exit_code) == (7, 0)
    assert (made.folder / "data/docs/one").exists()


def test_folders_that_lose_something_have_their_times_of_the_snapshot(made: InProcess) -> None:
    add(made.target, "data/docs/mine")
    made.restore(overwrite="always", delete=True)
    assert (made.target / "data/docs").stat().st_mtime_ns == (made.folder / "data/docs").stat().st_mtime_ns


def test_without_the_option_nothing_is_even_looked_for(made: InProcess) -> None:
    add(made.target, "data/mine")
    made.restore(overwrite="always")
    assert (made.target / "data/mine").exists()
    assert not any(type(order).__name__ == "FindSurplus" for order in made.orders)


def test_only_what_was_selected_loses_anything(made: InProcess) -> None:
    add(made.target, "data/mine", "data/docs/mine")
    made.target = made.target / "data/docs"
    made.restore("data/docs", overwrite="always", delete=True)
    assert not (made.target / "mine").exists()
    assert (made.target.parent / "mine").exists()


def test_what_is_excluded_or_not_included_stays(made: InProcess) -> None:
    add(made.target, "data/a.txt", "data/a.tmp", "data/cache/a.txt", "data/new/a.txt", "data/new/a.bin")
    made.restore(overwrite="always", delete=True, include=("*.txt", "one"), exclude=("cache/", "*.tmp"))
    assert {"data/a.tmp", "data/cache/a.txt", "data/new/a.bin", "data/large"} <= held(made.target)
    assert not {"data/a.txt", "data/new/a.txt"} & held(made.target)


def test_nothing_is_removed_unless_all_is_restored(made: InProcess) -> None:
    add(made.target, "data/mine")
    (made.target / "data/large").unlink()

    def damage(order: Order) -> None:
        if isinstance(order, RestoreSegment):
            raise DamagedError("a bad disk")

    made.before = damage
    summary = made.restore(overwrite="if-changed", delete=True)
    assert (summary.exit_code, summary.removed) == (3, 0)
    assert (made.target / "data/mine").exists()
    assert any("nothing is removed" in note for note in made.notes)


def test_another_folder_than_the_one_that_was_backed_up_is_refused_before_anything_is_written(made: InProcess) -> None:
    made.target = made.folder / "other"
    add(made.target, "mine", "more/mine")
    with pytest.raises(TargetError, match="would remove all"):
        made.restore("data", overwrite="always", delete=True)
    with pytest.raises(TargetError):
        made.preview("data", overwrite="always", delete=True)
    assert held(made.target) == {"mine", "more", "more/mine"}


def test_a_socket_stays_and_the_folder_that_it_is_in(made: InProcess) -> None:
    add(made.target, "data/run/mine")
    before = os.getcwd()
    os.chdir(made.target / "data/run")
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
    finally:
        os.chdir(before)
    assert made.restore(overwrite="always", delete=True).exit_code == 0
    assert {"data/run", "data/run/socket"} <= held(made.target)
    assert not (made.target / "data/run/mine").exists()


def test_a_device_inside_the_target_stays_and_is_reported(made: InProcess) -> None:
    device = made.folder / "devices/a"
    inside = made.target / "data/device"
    inside.mkdir()
    (inside / "segfleet.json").write_bytes((device / "segfleet.json").read_bytes())
    add(made.target, "data/device/segments/aa/x")
    summary = made.restore(overwrite="always", delete=True)
    assert (inside / "segments/aa/x").exists()
    assert (summary.exit_code, made.troubles) == (3, [("data/device", "not-removed")])


def test_the_state_folder_inside_the_target_stays(made: InProcess) -> None:
    add(made.target, "data/state/catalog.sqlite", "data/mine")
    made.restore(overwrite="always", delete=True, own_places=("data/state",))
    assert (made.target / "data/state/catalog.sqlite").exists()
    assert not (made.target / "data/mine").exists()


def test_removals_are_repeated_without_harm(made: InProcess) -> None:
    add(made.target, "data/new/mine")
    summary = made.restore(overwrite="always", delete=True)
    assert summary.removed == 2
    last = [order for order in made.orders if isinstance(order, RestoreEntries) and order.entries]
    assert any(entry.kind == "surplus" for order in last for entry in order.entries)
    assert made.restore(overwrite="always", delete=True).removed == 0


def test_a_folder_of_many_names_is_asked_about_in_parts_that_leave_no_gap() -> None:
    names = [f"{number:05}" for number in range(12_345)]
    asked = list(questions([("many", names), ("none", []), ("few", ["b", "a"])]))
    many = [question for question in asked if question.path == "many"]
    assert [name for question in many for name in question.names] == names
    assert [question.after for question in many] == ["", *(question.until for question in many[:-1])]
    assert many[-1].until == ""
    assert [question.names for question in asked[len(many) :]] == [(), ("a", "b")]
    assert [question for group in in_orders(asked) for question in group] == asked
