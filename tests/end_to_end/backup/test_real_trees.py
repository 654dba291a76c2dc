"""Trees that others have made come back the same: Python's standard library, and a whole Debian."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from kit.compare import differences, look_at
from kit.needs import need, need_free_space, need_root, need_tools, program
from kit.program.machine import Machine
from kit.program.nobody import NOBODY


@pytest.mark.parametrize("user", [None, NOBODY], ids=["who runs the tests", "another user"])
def test_the_standard_library(machine: Machine, user: int | None) -> None:
    """Thousands of small files in bundles."""
    source = machine.folder / "data"
    source.mkdir()
    if user is not None:
        machine.run_as(user)
    _copy_library(source, os.geteuid() if user is None else user)
    machine.succeed("backup", source, *machine.devices("a b"))
    machine.succeed("restore", "latest", "--target", "out")
    found = look_at(machine.folder / "out" / "data")
    assert len(found) > 1000
    assert differences(source, found) == []


def _copy_library(target: Path, owner: int) -> None:
    """Without its own tests, and what is no part of it; with what an installation has compiled."""
    options = [f"--exclude=./{name}" for name in ("site-packages", "test", "config-*")]
    library = Path(sysconfig.get_path("stdlib"))
    pack = subprocess.Popen([program("tar"), "-C", library, "-c", *options, "."], stdout=subprocess.PIPE)
    subprocess.run([program("tar"), "-C", target, "-xp"], stdin=pack.stdout, check=True)
    assert pack.wait() == 0
    if os.geteuid() == 0:
        subprocess.run([program("chown"), "-R", f"{owner}:{owner}", target], check=True)


@pytest.mark.slow
def test_a_whole_debian(machine: Machine) -> None:
    """As root, with owners, device nodes, set-id bits and capabilities; its own tools find nothing changed."""
    need_root("make a Debian root")
    need_tools("debootstrap", "dpkg", "getcap", "setcap")
    need_free_space(machine.folder, 2 * 10**9)
    source, out = machine.folder / "debian", machine.folder / "out" / "debian"
    made = subprocess.run(
        [program("debootstrap"), "--variant=minbase", "stable", source], capture_output=True, check=False
    )
    need(made.returncode == 0, f"debootstrap cannot make a Debian root here: {made.stdout[-300:]!r}")
    # The base system of some releases has none.
    subprocess.run([program("setcap"), "cap_net_raw+ep", source / "usr/bin/tail"], check=True)
    before = _told_by_its_tools(source)
    machine.succeed("backup", source, *machine.devices("a b c"))
    machine.succeed("restore", "latest", "--target", "out")
    assert differences(source, out, holes=True) == []
    assert _told_by_its_tools(out) == before
    assert "cap_net_raw" in before


def _told_by_its_tools(root: Path) -> str:
    """What ``dpkg --verify`` finds, run inside, and ``getcap -r``."""
    verified = subprocess.run(
        [program("chroot"), root, "dpkg", "--verify"], capture_output=True, text=True, check=False
    )
    capable = subprocess.run([program("getcap"), "-r", "."], cwd=root, capture_output=True, text=True, check=True)
    return f"{verified.returncode}\n{verified.stdout}{verified.stderr}\n{capable.stdout}"
