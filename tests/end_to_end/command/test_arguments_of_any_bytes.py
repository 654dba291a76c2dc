"""Paths, patterns and snapshot paths given as arguments may be of any bytes, as names of files are."""

from __future__ import annotations

import os

import pytest

from kit.program.command import Done
from kit.program.machine import Machine
from kit.tree import Tree

NAME = os.fsdecode(b"data \xff\xfe")


@pytest.fixture(scope="module")
def backed_up(shared_machine: Machine) -> Machine:
    source = Tree({b"file \xff": b"1", b"left out \xfe": b"2"}).make(shared_machine.folder / NAME)
    pattern = os.fsdecode(b"*\xfe")
    shared_machine.succeed("backup", source, *shared_machine.devices("a"), "--exclude", pattern)
    return shared_machine


def paths_of(done: Done) -> set[bytes]:
    return {os.fsencode(row["path"]) for row in done.rows}


def test_a_source_and_a_pattern(backed_up: Machine) -> None:
    listed = paths_of(backed_up.succeed("ls", "latest", "--json"))
    assert listed == {b"data \xff\xfe", b"data \xff\xfe/file \xff"}


@pytest.mark.parametrize("command", ["find", "ls"])
def test_what_is_looked_for(backed_up: Machine, command: str) -> None:
    path = os.fsdecode(b"data \xff\xfe/file \xff")
    wanted = [os.path.basename(path)] if command == "find" else ["latest", path]
    assert b"data \xff\xfe/file \xff" in paths_of(backed_up.succeed(command, *wanted, "--json"))


def test_what_is_dumped(backed_up: Machine) -> None:
    path = os.fsdecode(b"data \xff\xfe/file \xff")
    assert backed_up.succeed("dump", "latest", path).stdout == b"1"


def test_what_is_restored_and_where(backed_up: Machine) -> None:
    target = backed_up.folder / os.fsdecode(b"out \xfd")
    include = os.fsdecode(b"*\xff")
    backed_up.succeed("restore", f"latest:{NAME}", "--target", target, "--include", include)
    assert os.listdir(os.fsencode(target)) == [b"file \xff"]
