"""Trouble with one source file is recorded, and the backup goes on: exit code 3, and all else is there."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from kit.compare import differences, look_at
from kit.needs import program
from kit.program.command import Done
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.tree import File, Folder, Tree, noise

#: It takes the device 11 s, unless the brake is released: time to change what comes after it.
FIRST = noise(6 * 2**20)
RATE = "512KiB"
STEPS = ("--unit-size=64KiB", "--segment-size=2MiB", "--threads=1")


def change_while_storing(machine: Machine, change: Callable[[Path], None]) -> Done:
    """Back up FIRST, ``late`` and others; ``change`` the source when FIRST is under way, with the workers stopped."""
    source = Tree({"empty": b"", "first": FIRST, "folder/late": b"as planned", "folder/other": b"other"}).make(
        machine.folder / "data"
    )
    devices = machine.devices("a")
    machine.limit("a", RATE)
    brake = Brake(machine.folder / "brake")
    running = machine.start("backup", source, *devices, *STEPS, "--json", **brake.settings)
    running.wait_until_storing()
    workers = [psutil.Process(pid) for pid in running.worker_pids().values()]
    workers += [child for worker in workers for child in worker.children(recursive=True)]
    for process in workers:
        process.send_signal(signal.SIGSTOP)
    change(source)
    for process in workers:
        process.send_signal(signal.SIGCONT)
    brake.release()
    done = running.wait()
    machine.limit("a", None)
    return done


def assert_told(done: Done, code: str, path: Path) -> None:
    """One error, with this code and path; the summary and the exit code say so too."""
    assert [(error["code"], error["path"]) for error in done.errors] == [(code, str(path))]
    assert done.summary["errors"] == 1
    assert done.summary["exit_code"] == done.exit_code == 3


def assert_not_stored(restored: Done, *paths: str) -> None:
    """The restore names these files, which the backup could not read, and no others."""
    assert {(error["code"], error["path"]) for error in restored.errors} == {("not-stored", path) for path in paths}
    assert restored.exit_code == 3


def test_a_file_that_vanishes_before_it_is_read_is_recorded(machine: Machine) -> None:
    done = change_while_storing(machine, lambda source: (source / "folder" / "late").unlink())

    assert_told(done, "vanished", machine.folder / "data" / "folder" / "late")
    restored = machine.run("restore", "latest", "--target", "out", "--json")
    assert (machine.folder / "out" / "data" / "first").read_bytes() == FIRST
    assert (machine.folder / "out" / "data" / "folder" / "other").read_bytes() == b"other"
    assert not (machine.folder / "out" / "data" / "folder" / "late").exists()
    assert_not_stored(restored, "data/folder/late")


def test_a_whole_folder_that_vanishes_is_recorded(machine: Machine) -> None:
    done = change_while_storing(machine, lambda source: shutil.rmtree(source / "folder"))

    assert done.exit_code == 3
    assert {error["code"] for error in done.errors} == {"vanished"}
    assert done.summary["errors"] == 2
    restored = machine.run("restore", "latest", "--target", "out", "--json")
    assert_not_stored(restored, "data/folder/late", "data/folder/other")
    assert (machine.folder / "out" / "data" / "first").read_bytes() == FIRST


def test_a_file_that_shrinks_is_recorded_and_comes_back_as_long_as_it_was(machine: Machine) -> None:
    done = change_while_storing(machine, lambda source: os.truncate(source / "folder" / "late", 2))

    assert_told(done, "changed", machine.folder / "data" / "folder" / "late")
    machine.run("restore", "latest", "--target", "out")
    assert (machine.folder / "out" / "data" / "folder" / "late").read_bytes() == b"as"
    assert (machine.folder / "out" / "data" / "folder" / "other").read_bytes() == b"other"


def test_a_file_that_grows_is_recorded_and_comes_back_as_planned(machine: Machine) -> None:
    done = change_while_storing(machine, lambda source: append(source / "folder" / "late", b" and more"))

    assert_told(done, "changed", machine.folder / "data" / "folder" / "late")
    machine.run("restore", "latest", "--target", "out")
    assert (machine.folder / "out" / "data" / "folder" / "late").read_bytes() == b"as planned"


def test_a_file_written_after_the_walk_is_recorded_though_it_keeps_its_size(machine: Machine) -> None:
    done = change_while_storing(machine, lambda source: overwrite(source / "folder" / "late", b"AS"))

    assert_told(done, "changed", machine.folder / "data" / "folder" / "late")
    machine.run("restore", "latest", "--target", "out")
    assert (machine.folder / "out" / "data" / "folder" / "late").read_bytes() == b"AS planned"


def test_an_empty_file_written_after_the_walk_is_recorded(machine: Machine) -> None:
    done = change_while_storing(machine, lambda source: append(source / "empty", b"no longer"))

    assert_told(done, "changed", machine.folder / "data" / "empty")


def test_files_whose_size_is_not_told_are_recorded(machine: Machine) -> None:
    process = Path("/proc/self").resolve() / "net"
    names = ("dev", "route")
    patterns = ["-e", "*", *(part for name in names for part in ("-e", f"!/{name}"))]

    done = machine.run("backup", process, *patterns, *machine.devices("a"), "--json")

    assert {(error["code"], error["path"]) for error in done.errors} == {
        ("changed", str(process / name)) for name in names
    }
    assert done.exit_code == 3


def overwrite(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_a_file_that_becomes_a_symlink_is_not_followed(machine: Machine) -> None:
    secret = machine.folder / "secret"
    secret.write_bytes(b"secret bytes")

    def swap(source: Path) -> None:
        (source / "folder" / "late").unlink()
        (source / "folder" / "late").symlink_to(secret)

    done = change_while_storing(machine, swap)

    assert done.exit_code == 3
    assert [error["path"] for error in done.errors] == [str(machine.folder / "data" / "folder" / "late")]
    assert_not_stored(machine.run("restore", "latest", "--target", "out", "--json"), "data/folder/late")
    assert not (machine.folder / "out" / "data" / "folder" / "late").exists()


# ---- what cannot be read

UNREADABLE = Tree(
    {
        "fine": b"fine",
        "forbidden": File(b"secret", mode=0),
        "large and forbidden": File(noise(5 * 2**20), mode=0),
        "closed folder": Folder(mode=0),
        "closed folder/inside": b"unseen",
        "last": b"last",
    }
)


@pytest.fixture
def without_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands respect the modes of files, also when root runs the tests."""
    if os.geteuid() == 0:
        drop = (program("setpriv"), "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search")
        monkeypatch.setattr("kit.program.command.PREFIX", drop)


@pytest.mark.usefixtures("without_privileges")
def test_what_cannot_be_read_is_recorded_and_the_rest_is_stored(machine: Machine) -> None:
    source = UNREADABLE.make(machine.folder / "data")

    done = machine.run("backup", source, *machine.devices("a b"), "--segment-size=2MiB", "--json")

    assert done.exit_code == 3
    assert {error["path"] for error in done.errors} == {
        str(source / name) for name in ("forbidden", "large and forbidden", "closed folder")
    }
    assert {error["code"] for error in done.errors} == {"unreadable"}
    assert all("Permission denied" in error["message"] for error in done.errors)

    restored = machine.run("restore", "latest", "--target", "out", "--json")
    before, after = look_at(source), look_at(machine.folder / "out" / "data")
    (machine.folder / "out" / "data" / "closed folder").chmod(0o755)
    assert_not_stored(restored, "data/forbidden", "data/large and forbidden", "data/closed folder")
    checked = machine.run("check", "--json")
    assert {(error["code"], error["path"]) for error in checked.errors} == {
        ("not-stored", f"data/{name}") for name in ("forbidden", "large and forbidden", "closed folder")
    }
    assert (checked.exit_code, checked.summary["errors"]) == (3, 3)
    machine.succeed("restore", "latest", "-e", "*forbidden", "-e", "closed folder", "--target", "others")
    assert after.keys() == {b".", b"fine", b"closed folder", b"last"}
    assert differences({path: before[path] for path in after}, after) == []


@pytest.mark.usefixtures("without_privileges")
def test_a_source_whose_root_cannot_be_read_is_told(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")
    other = Tree({"file": b"2"}).make(machine.folder / "other")
    source.chmod(0)

    done = machine.run("backup", source, other, *machine.devices("a b"), "--json")

    source.chmod(0o755)
    assert done.exit_code == 3
    assert [(error["code"], error["path"]) for error in done.errors] == [("unreadable", str(source))]
    assert_not_stored(machine.run("restore", "latest", "--target", "out", "--json"), "data")
    assert differences(other, machine.folder / "out" / "other") == []
