"""The units in docs/systemd, as systemd itself judges them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.needs import program
from kit.program.commands import all_commands
from kit.repository import REPOSITORY

UNITS = sorted((REPOSITORY / "docs/systemd").glob("*.service"))

#: Of 10; a unit without any of its restrictions has 9.6.
WORST_EXPOSURE = 3.0


def analyze(*arguments: str) -> str:
    done = subprocess.run(
        [program("systemd-analyze"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_no_fault_with_the_unit(unit: Path, tmp_path: Path) -> None:
    # Everything but the program, which is not installed where the unit has it.
    text = unit.read_text().replace("/opt/segfleet/bin/segfleet", sys.executable)
    (tmp_path / unit.name).write_text(text)
    assert analyze("verify", "--man=no", str(tmp_path / unit.name)) == ""


def test_systemd_finds_no_fault_with_the_timer_and_its_service(tmp_path: Path) -> None:
    for name in ("segfleet-run-due.service", "segfleet-run-due.timer"):
        text = (REPOSITORY / "docs/systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/segfleet/bin/segfleet", sys.executable))
    assert analyze("verify", "--man=no", str(tmp_path / "segfleet-run-due.timer")) == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_unit_is_hardened(unit: Path) -> None:
    exposure = re.search(r"exposure level for \S+ ([0-9.]+)", analyze("security", "--offline=true", str(unit)))
    assert exposure
    assert float(exposure[1]) < WORST_EXPOSURE


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_unit_has_a_limit_of_memory_and_leaves_no_core_file(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert "LimitCORE=0" in lines
    assert any(line.startswith("MemoryMax=") for line in lines)


def test_each_unit_has_an_environment_file_of_its_own() -> None:
    files = [re.findall(r"^EnvironmentFile=(.*)", unit.read_text(), re.MULTILINE) for unit in UNITS]
    assert len({*map(tuple, files)}) == len(UNITS)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_unit_starts_a_command_that_there_is(unit: Path) -> None:
    command = re.search(r"^ExecStart=\S+/segfleet (\w+)", unit.read_text(), re.MULTILINE)
    assert command
    assert command[1] in all_commands()
