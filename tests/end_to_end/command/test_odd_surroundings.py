"""What a command needs of its surroundings: it works without, or says what is wrong and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from kit.models.reservations import NEW_YEAR, make_due
from kit.needs import need_root
from kit.program.command import SEGFLEET
from kit.program.machine import Machine
from kit.tree import Tree

#: Runs the rest of its arguments without root's power over permissions, which it would keep over the exec otherwise.
_WITHOUT_POWER = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
for number in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, number)
os.execv(sys.argv[1], sys.argv[1:])
"""


def run(
    machine: Machine, *arguments: str | Path, before: str = ":", apart: Sequence[str] = (), **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command after a line of shell, without the power to pass over permissions.

    ``apart``: a command that runs all of it in namespaces of its own.
    """
    shell = [*apart, "sh", "-c", f'{before}; exec "$@"', "sh"]
    return subprocess.run(
        [*shell, sys.executable, "-c", _WITHOUT_POWER, *SEGFLEET, *arguments],
        capture_output=True,
        text=True,
        cwd=machine.folder,
        env={**machine.environment(), **settings},
        timeout=120,
        check=False,
    )


@pytest.fixture
def source(machine: Machine) -> Path:
    return Tree({"file": b"kept"}).make(machine.folder / "data")


REMOVED = "mkdir gone && cd gone && rmdir ../gone"
CLOSED = "mkdir -p closed && cd closed && chmod 0 ."
NO_PROC = "mount -t tmpfs none /proc"


@pytest.mark.parametrize("before", [REMOVED, CLOSED])
def test_full_paths_work_in_a_working_folder_that_cannot_be_used(machine: Machine, source: Path, before: str) -> None:
    for arguments in (
        ["backup", source, *machine.devices("a")],
        ["snapshots"],
        ["restore", "latest", "--target", machine.folder / "out"],
    ):
        done = run(machine, *arguments, before=before)
        assert done.returncode == 0, done


def test_a_relative_path_in_a_working_folder_that_may_not_be_entered_is_refused(machine: Machine) -> None:
    done = run(machine, "backup", "data", *machine.devices("a"), before=CLOSED)
    assert done.returncode == 2, done
    assert "cannot read source" in done.stderr
    assert "Permission denied" in done.stderr


def test_a_backup_works_without_proc_and_a_restore_says_what_to_do(machine: Machine, source: Path) -> None:
    need_root("hide /proc")
    for arguments in (["backup", source, "--no-xattrs", *machine.devices("a")], ["snapshots"], ["check"]):
        done = run(machine, *arguments, before=NO_PROC, apart=["unshare", "--mount"])
        assert done.returncode == 0, done
    done = run(machine, "backup", source, *machine.devices("a"), before=NO_PROC, apart=["unshare", "--mount"])
    assert done.returncode == 3, done
    assert "extended attributes are left out: they are read through /proc" in done.stderr
    done = run(
        machine, "restore", "latest", "--target", machine.folder / "out", before=NO_PROC, apart=["unshare", "-m"]
    )
    assert done.returncode == 2, done
    assert "a restore needs /proc" in done.stderr
    assert "mount -t proc proc /proc" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["backup", "data", "--device=a=/nowhere"],
        ["backup", "/etc", "--device=a=a"],
        ["restore", "latest", "--device=a=/a", "--target=../out"],
    ],
)
def test_a_path_from_a_working_folder_that_was_removed_is_refused(machine: Machine, arguments: list[str]) -> None:
    done = run(machine, *arguments, before=REMOVED)
    assert done.returncode == 2, done
    assert "the current folder cannot be used" in done.stderr
    assert "write the full path" in done.stderr


def test_a_command_works_without_home(machine: Machine, source: Path) -> None:
    done = run(machine, "backup", source, *machine.devices("a"), before="unset HOME")
    assert done.returncode == 0, done


def test_a_lock_file_of_another_user_is_named_with_the_cure(machine: Machine, source: Path) -> None:
    machine.succeed("backup", source, *machine.devices("a"))
    lock = machine.state / "locks" / "device a.lock"
    lock.chmod(0)

    done = run(machine, "backup", source, *machine.devices("a"))

    assert done.returncode == 1
    assert f"cannot open the lock file {lock}: Permission denied" in done.stderr
    assert f"remove it: rm '{lock}'" in done.stderr


def test_a_state_folder_with_a_line_break_is_refused(machine: Machine) -> None:
    done = run(machine, "snapshots", SEGFLEET_STATE=f"{machine.folder}/sta\nte")
    assert done.returncode == 2
    assert "has a line break" in done.stderr
    assert not os.path.lexists(f"{machine.folder}/sta\nte")


def test_a_run_that_a_wrong_clock_put_years_ahead_is_scheduled_anew(machine: Machine, source: Path) -> None:
    machine.succeed("schedule", "add", "data", source, *machine.devices("a"), *NEW_YEAR)
    (before,) = machine.succeed("schedule", "list", "--json").rows
    make_due(machine.catalog, ago=-timedelta(days=3650))

    done = machine.succeed("schedule", "run-due")

    assert "volume data: the clock was wrong: the next run was set for" in done.stderr
    (after,) = machine.succeed("schedule", "list", "--json").rows
    assert after["next_due"] == before["next_due"]


def test_names_are_stored_as_the_same_bytes_under_any_locale(machine: Machine) -> None:
    source = Tree({"Straße/café": b"kept"}).make(machine.folder / "data")
    # Where Python would read names as ASCII.
    machine.succeed("backup", source, *machine.devices("a"), LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    paths = {row["path"] for row in machine.succeed("ls", "latest", "--json", PYTHONUTF8="1").rows}

    assert any(path.endswith("Straße/café") for path in paths), paths
