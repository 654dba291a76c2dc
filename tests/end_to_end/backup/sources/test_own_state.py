"""segfleet's own files inside a source, as in any home folder: left out, but for a whole copy of the catalog."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kit.program.machine import Machine
from kit.tree import Tree


def test_the_state_folder_in_a_source_is_no_trouble_and_the_catalog_is_stored_whole(machine: Machine) -> None:
    home = machine.folder
    Tree({"documents/letter": b"dear"}).make(home / "me")
    backup: tuple[str | Path, ...] = (
        "backup",
        home,
        "-e",
        "/devices/",
        "-e",
        "/tmp/",
        "--volume=home",
        *machine.devices("a"),
    )

    first = machine.succeed(*backup)
    second = machine.succeed(*backup)

    assert "only the catalog is stored, as catalog.sqlite.home.copy" in first.stderr
    assert "only the catalog" not in second.stderr
    machine.succeed("restore", "latest", "--target", "tmp/out")
    restored = home / "tmp" / "out" / home.name
    assert (restored / "me" / "documents" / "letter").read_bytes() == b"dear"
    state = restored / "state"
    assert [path.name for path in state.iterdir() if path.name.startswith("catalog")] == ["catalog.sqlite.home.copy"]
    assert not {"broker", "locks", "logs"} & {path.name for path in state.iterdir()}
    with closing(sqlite3.connect(state / "catalog.sqlite.home.copy")) as catalog:
        assert catalog.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert catalog.execute("SELECT count(*) FROM snapshots WHERE state = 'sealed'").fetchone() == (1,)
    assert not list(machine.state.glob("*.copy"))
