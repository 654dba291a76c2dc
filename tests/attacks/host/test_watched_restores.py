"""Somebody who may write in the target waits for private files to be restored there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kit.needs import need_root
from kit.program.machine import Machine
from kit.tree import File, Tree, noise

SECRETS = {"small": b"secret", "large": noise(400_000)}
SOMEBODY = 1234


@pytest.fixture
def backed_up(machine: Machine) -> Machine:
    need_root("give files to two users")
    source = Tree({name: File(data, mode=0o600, owner=(0, 0)) for name, data in SECRETS.items()}).make(
        machine.folder / "data"
    )
    machine.succeed("backup", source, *machine.devices("a b"), "--segment-size=128KiB")
    return machine


def planted(path: Path, mode: int) -> Path:
    path.write_bytes(b"mine")
    path.chmod(mode)
    os.chown(path, SOMEBODY, SOMEBODY)
    return path


#: 0200 is the mode of what a restore has not finished.
@pytest.mark.parametrize("mode", [0o644, 0o666, 0o200])
@pytest.mark.parametrize("overwrite", ["always", "if-changed"])
def test_who_has_a_file_of_the_target_open_reads_nothing_that_is_restored_to_its_name(
    backed_up: Machine, mode: int, overwrite: str
) -> None:
    target = backed_up.folder / "new"
    (target / "data").mkdir(parents=True)
    spies = [open(planted(target / "data" / name, mode), "rb") for name in SECRETS]  # noqa: SIM115
    try:
        backed_up.succeed("restore", "latest", "--target", target, "--overwrite", overwrite)
        assert [spy.read() for spy in spies] == [b"mine", b"mine"]
    finally:
        for spy in spies:
            spy.close()
    for name, secret in SECRETS.items():
        found = (target / "data" / name).stat()
        assert (target / "data" / name).read_bytes() == secret
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, 0)


def test_a_file_of_somebody_else_with_the_right_size_and_time_is_not_made_a_program_of_root(machine: Machine) -> None:
    need_root("give files to two users")
    source = Tree({"program": File(b"good", mode=0o4755, owner=(0, 0))}).make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a"))
    program = machine.folder / "new/data/program"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"evil")
    os.utime(program, ns=(0, (source / "program").stat().st_mtime_ns))
    os.chown(program, SOMEBODY, SOMEBODY)

    machine.succeed("restore", "latest", "--target", machine.folder / "new", "--overwrite=if-changed")

    assert program.read_bytes() == b"good"
    assert stat.S_IMODE(program.stat().st_mode) == 0o4755
