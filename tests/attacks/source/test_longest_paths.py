"""The longest path that the walk takes can be backed up, checked and restored; a longer one is a trouble."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.program.machine import Machine
from tasks.values import MAX_PATH_CHARACTERS


@pytest.fixture
def removed(machine: Machine) -> Iterator[None]:
    """Only rm removes paths of this length."""
    yield
    subprocess.run(["rm", "-rf", machine.folder / "data", machine.folder / "out"], check=True)


def folder_at(root: Path, names: list[str], *, make: bool) -> int:
    """A descriptor of the folder that the names lead to."""
    folder = os.open(root, os.O_RDONLY)
    for name in names:
        if make:
            os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    return folder


@pytest.mark.usefixtures("removed")
def test_the_longest_path_is_restored_and_a_longer_one_is_a_trouble(machine: Machine) -> None:
    source = machine.folder / "data"
    source.mkdir()
    names = ["d" * 200] * 20
    room = MAX_PATH_CHARACTERS - len("data/") - len("/".join(names)) - 1
    folder = folder_at(source, names, make=True)
    for length in (room, room + 1):
        file = os.open("f" * length, os.O_CREAT | os.O_WRONLY, dir_fd=folder)
        os.write(file, b"at the end of a long way")
        os.close(file)
    os.close(folder)
    done = machine.run("backup", source, *machine.devices("a b"), "--json")
    assert [error["code"] for error in done.errors] == ["path-too-long"]
    assert done.exit_code == 3
    assert machine.run("check", "--read-data").exit_code in (0, 3)
    done = machine.run("restore", "latest", "--target", machine.folder / "out", "--json")
    assert (done.exit_code, done.summary["files"]) == (3, 1), "the restore names what the backup could not take"
    folder = folder_at(machine.folder / "out/data", names, make=False)
    file = os.open("f" * room, os.O_RDONLY, dir_fd=folder)
    assert os.read(file, 100) == b"at the end of a long way"
    os.close(file)
    os.close(folder)
