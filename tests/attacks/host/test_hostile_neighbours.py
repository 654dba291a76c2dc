"""Another user of the host leaves configurations, state folders and notes where an operator comes by."""

from __future__ import annotations

import json
import os

import pytest

from kit.needs import need_root
from kit.program.machine import Machine
from kit.tree import Tree

STRANGER = 54321

HOOKS = '[volumes.data]\npre = "touch {marker}"\n'


@pytest.fixture
def as_root() -> None:
    need_root("leave files of another user")


def backup(machine: Machine, **settings: str) -> tuple[int, str]:
    """Exit code and what was said, of a backup by somebody who stands in the machine's folder."""
    source = Tree({"a": b"x"}).make(machine.folder / "data")
    done = machine.run("backup", source, *machine.devices("a"), **{"SEGFLEET_CONFIG": "", **settings})
    return done.exit_code, done.stderr


def test_commands_in_a_file_of_the_current_folder_are_not_run_unless_it_is_named(machine: Machine) -> None:
    marker = machine.folder / "ran"
    (machine.folder / "segfleet.toml").write_text(HOOKS.format(marker=marker))

    code, said = backup(machine)

    assert (code, marker.exists()) == (2, False)
    assert "has commands to run" in said
    assert "--config" in said


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(("uid", "mode"), [(STRANGER, 0o644), (0, 0o666)])
def test_a_configuration_that_somebody_else_owns_or_can_write_is_refused(machine: Machine, uid: int, mode: int) -> None:
    file = machine.folder / "segfleet.toml"
    file.write_text("[defaults]\nlevel = 1\n")
    os.chown(file, uid, 0)
    file.chmod(mode)

    code, said = backup(machine)

    assert code == 2
    assert str(file) in said


@pytest.mark.usefixtures("as_root")
def test_a_state_folder_of_somebody_else_is_refused_and_its_notes_are_not_carried_out(machine: Machine) -> None:
    marker, state = machine.folder / "ran", machine.folder / "their-state"
    (state / "duties").mkdir(parents=True, mode=0o700)
    note = {"kind": "post", "volume": "data", "command": f"touch {marker}", "pid": 2**22 - 1, "started": "1"}
    (state / "duties" / "x.json").write_text(json.dumps(note))
    os.chown(state, STRANGER, STRANGER)

    code, said = backup(machine, SEGFLEET_STATE=str(state))

    assert (code, marker.exists()) == (2, False)
    assert "belongs to user 54321" in said
