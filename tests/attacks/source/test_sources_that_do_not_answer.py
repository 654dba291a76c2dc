"""A source, device or target whose server hangs costs itself, and holds nobody."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kit.deadlines import eventually
from kit.disks.hung_mount import hung_mount
from kit.program.machine import Machine
from kit.tree import Tree
from producer.listing import decode_part
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk import Walk

TREE = {"a/file": b"1", "m/before": b"2", "m/folder/deep": b"3", "m/z": b"4", "m/zz/last": b"5", "z/file": b"6"}
PATHS = ["", "a", "m", "z", "a/file", "m/before", "m/folder", "m/z", "m/zz", "m/folder/deep", "m/zz/last", "z/file"]


def walked(root: Path, troubles: list[Trouble], **exclusions: object) -> list[str]:
    walk = Walk(
        [Source(name="s", path=root)],
        Exclusions(**exclusions),  # type: ignore[arg-type]
        on_trouble=troubles.append,
        on_progress=lambda files, size: None,
        limit_s=1.0,
    )
    return [entry.path for part in walk.parts() for batch in decode_part(part.data) for entry in batch]


def test_a_guarded_walk_lists_what_an_unguarded_one_does(tmp_path: Path) -> None:
    root = Tree(TREE).make(tmp_path / "src")
    assert walked(root, []) == PATHS


def test_a_mount_that_hangs_is_named_and_all_around_it_is_listed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Tree(TREE).make(tmp_path / "src")
    troubles: list[Trouble] = []
    with hung_mount(root / "m/hung"), hung_mount(root / "m/hung-too"), hung_mount(root / "zzz"):
        assert walked(root, troubles) == PATHS
    assert [trouble.path for trouble in troubles] == [f"{root}/zzz", f"{root}/m/hung", f"{root}/m/hung-too"]
    assert all("did not answer" in trouble.message for trouble in troubles)
    assert f"waiting for {root}/zzz, which does not answer" in caplog.text


def test_a_mount_that_hangs_is_not_looked_at_where_it_is_excluded(tmp_path: Path) -> None:
    root = Tree(TREE).make(tmp_path / "src")
    troubles: list[Trouble] = []
    with hung_mount(root / "m/hung"):
        assert walked(root, troubles, patterns=("hung/",)) == PATHS
        assert walked(root, troubles, patterns=("/m/h*",)) == PATHS
    assert troubles == []


def test_a_mount_that_hangs_is_an_empty_folder_on_one_file_system(tmp_path: Path) -> None:
    root = Tree(TREE).make(tmp_path / "src")
    troubles: list[Trouble] = []
    with hung_mount(root / "m/hung"):
        assert sorted(walked(root, troubles, one_file_system=True)) == sorted([*PATHS, "m/hung"])
    assert troubles == []


def test_a_backup_around_a_mount_that_hangs_ends_with_a_trouble(machine: Machine) -> None:
    source = Tree(TREE).make(machine.folder / "data")
    with hung_mount(source / "m/hung"):
        done = machine.run("backup", source, *machine.devices("a"), "--json", SEGFLEET_WALK_LIMIT_S="1")
    assert [(error["code"], error["path"]) for error in done.errors] == [("unreadable", f"{source}/m/hung")]
    assert done.exit_code == 3
    restored = machine.run("restore", "latest", "--target", machine.folder / "out")
    assert restored.exit_code == 3
    assert "data/m/hung: the backup could not store it" in restored.stderr
    assert (machine.folder / "out/data/m/zz/last").read_bytes() == b"5"


QUICK = {"SEGFLEET_ANSWER_LIMIT_S": "3"}


def test_a_source_that_hangs_is_a_trouble_and_the_others_are_backed_up(machine: Machine) -> None:
    source = Tree({"file": b"kept"}).make(machine.folder / "data")
    for exclusion in ("--exclude=x", "-x"):
        with hung_mount(machine.folder / "hung"):
            done = machine.run(
                "backup", machine.folder / "hung", source, *machine.devices("a"), exclusion, "--json", **QUICK
            )
        assert [(error["code"], error["path"]) for error in done.errors] == [("unreadable", f"{machine.folder}/hung")]
        assert "hung does not answer" in done.errors[0]["message"]
        assert done.exit_code == 3
        restored = machine.run("restore", "latest", "--target", machine.folder / f"out{exclusion}")
        assert restored.exit_code == 3
        assert "hung: the backup could not store it" in restored.stderr
        assert (machine.folder / f"out{exclusion}/data/file").read_bytes() == b"kept"
        (machine.folder / "hung").rmdir()


def test_a_backup_of_nothing_but_what_hangs_fails_and_names_it(machine: Machine) -> None:
    with hung_mount(machine.folder / "hung"):
        for mode in ("auto", "files", "raw"):
            done = machine.run("backup", machine.folder / "hung", *machine.devices("a"), f"--mode={mode}", **QUICK)
            assert done.exit_code == 1, done
            assert f"{machine.folder}/hung does not answer" in done.stderr
            assert "Bring it back, unmount it" in done.stderr


def test_a_device_that_hangs_is_absent_and_holds_no_command(machine: Machine) -> None:
    source = Tree({"file": b"kept"}).make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a b"))
    devices = machine.devices("a b")
    machine.device("b").rename(machine.folder / "away")
    with hung_mount(machine.device("b")):
        done = machine.run("backup", source, *devices, "--json", **QUICK)
        assert [error["code"] for error in done.errors if error["code"] != "incomplete"] == ["device-absent"], done
        assert f"{machine.device('b')} does not answer" in done.errors[0]["message"]
        assert done.exit_code in (0, 3)
        done = machine.run("restore", "latest", "--target", machine.folder / "out", "--json", **QUICK)
        assert "device-absent" in [error["code"] for error in done.errors], done
        assert (machine.folder / "out/data/file").read_bytes() == b"kept"
        rows = machine.run("devices", *devices, "--json", **QUICK).rows
        assert {row["name"]: row["state"] for row in rows if row["message_type"] == "device"} == {
            "a": "live",
            "b": "absent",
        }
        assert machine.run("check", **QUICK).exit_code in (0, 3)


def test_a_new_device_that_hangs_is_named(machine: Machine) -> None:
    source = Tree({"file": b"kept"}).make(machine.folder / "data")
    devices = machine.devices("a b")
    machine.device("b").rmdir()
    with hung_mount(machine.device("b")):
        done = machine.run("backup", source, *devices, **QUICK)
    assert done.exit_code == 10, done
    assert f"device b: {machine.device('b')} does not answer" in done.stderr


def test_ctrl_c_ends_a_command_that_waits_for_what_hangs(machine: Machine) -> None:
    source = Tree({"file": b"kept"}).make(machine.folder / "data")
    with hung_mount(machine.folder / "hung"):
        for arguments in (
            ["backup", machine.folder / "hung", *machine.devices("a")],
            ["backup", source, f"--device=b={machine.folder}/hung"],
            ["snapshots", f"--config={machine.folder}/hung/segfleet.toml"],
        ):
            running = machine.start(*arguments)
            eventually(lambda running=running: "waiting for" in running.stderr, "it says what it waits for")  # type: ignore[misc]
            running.signal(signal.SIGINT)
            assert running.wait().exit_code == 130


def test_a_target_that_hangs_is_named(machine: Machine) -> None:
    source = Tree({"file": b"kept"}).make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a"))
    with hung_mount(machine.folder / "out"):
        done = machine.run("restore", "latest", "--target", machine.folder / "out", **QUICK)
    assert done.exit_code == 1
    assert f"{machine.folder}/out does not answer" in done.stderr
