"""Trees that others have made come back the same: Python's standard library, for a month too, and a whole Debian."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from kit.compare import Look, differences, look_at
from kit.mutator import Mutator
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


#: How many days a tree changes; fewer for a quick look.
DAYS_COUNT = int(os.environ.get("SEGFLEET_DAYS", "30"))
_CHANGES_COUNT = 25


@pytest.mark.slow
def test_each_day_of_a_month_comes_back(machine: Machine) -> None:
    """The standard library, of which some files and folders change each day; test_many_days.py does less, each time."""
    source, seed = machine.folder / "data", random.randrange(2**32)
    print(f"seed {seed}")
    source.mkdir()
    _copy_library(source, os.geteuid())
    mutator, days = Mutator(source, seed, ()), list[tuple[str, dict[bytes, Look]]]()
    for day in range(DAYS_COUNT):
        for _ in range(_CHANGES_COUNT if day else 0):
            mutator.change()
        summary = machine.succeed("backup", source, *machine.devices("a b"), "--json").summary
        assert day < 2 or summary["files_unchanged"] > summary["files"] / 2, "most files are as they were"
        days.append((summary["snapshot_id"], look_at(source)))
    for day, (snapshot_id, expected) in enumerate(days):
        out = machine.folder / "out" / str(day)
        machine.succeed("restore", snapshot_id, "--target", out)
        assert differences(expected, out / "data") == [], f"day {day}, after {mutator.changes}"
        shutil.rmtree(out)


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
