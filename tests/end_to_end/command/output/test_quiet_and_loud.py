"""How much a backup says: nothing when all is well, or each file, and what is kept for later."""

from __future__ import annotations

import os

from kit.program.machine import Machine


def test_a_backup_says_nothing_or_names_each_file_and_its_log_has_the_rest(machine: Machine) -> None:
    source = machine.folder / "data"
    (source / "folder").mkdir(parents=True)
    for name in ("stays", "changes"):
        (source / "folder" / name).write_text(name)
        os.utime(source / "folder" / name, (1, 1))

    silent = machine.succeed("backup", source, *machine.devices("a b"), "--quiet")
    (source / "folder" / "changes").write_text("changed it has")
    (source / "new").write_text("new")
    loud = machine.succeed("backup", source, *machine.devices("a b"), "--verbose", "--ignore-ctime")
    source.rename(machine.folder / "gone")
    failed = machine.run("backup", source, *machine.devices("a b"), "--quiet")

    assert (silent.stdout, silent.stderr) == (b"", "")
    named = [line for line in loud.stderr.splitlines() if line[1:2] == " "]
    assert sorted(named) == ["C data/folder/changes", "N data/new"]
    assert failed.exit_code == 2
    assert "cannot read source" in failed.stderr
    logged = machine.succeed("log", "data").stdout.decode()
    assert "backup of volume data" in logged
    assert logged.rstrip().endswith("ended with exit code 0")
    machine.succeed("check")
    assert "nothing to report; it ended with exit code 0" in machine.succeed("log").stdout.decode()
