"""``latest`` without a volume: which commands refuse it where there are several volumes, and what shells offer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from kit.models.rows import begin
from producer.catalog.catalog import Catalog
from producer.cli.main import run
from producer.cli.options.completing import stored_snapshots
from producer.host.state import open_state

COMMANDS = (
    "ls latest",
    "ls latest~1",
    "diff home@latest latest",
    "diff latest home@latest",
    "find x --snapshot latest",
    "check latest",
    "dump latest data/x",
    "restore latest --target out",
    "restore latest:data/x --target out",
    "mount latest out",
    "pin latest",
    "unpin latest",
    "tag latest --add=t",
    "forget latest",
    "resume latest",
    "retry latest",
)


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """Two snapshots of home, and one, the newest, of db; one more of each is unfinished."""
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    with Catalog(open_state().catalog_url) as opened:
        for day, volume in enumerate(("home", "home", "db")):
            opened.snapshots.seal(begin(opened, volume, day), datetime(2026, 1, 10, tzinfo=UTC), b"h" * 32)
        for volume in ("home", "db"):
            begin(opened, volume, 4)
        yield opened


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_refuses_it_and_lists_the_volumes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "latest~1" if "~1" in command else "latest"
    assert run(command.split()) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{name} of which volume? There are 2" in said
    assert f"name one: db@{name}, home@{name}" in said


def test_it_means_the_only_volume(catalog: Catalog) -> None:
    assert run(["forget", "db@latest", "--unsafe-allow-remove-all"]) == 0
    assert run(["pin", "latest"]) == 0
    assert [row.pinned for row in catalog.snapshots.all()] == [False, True]


def test_shells_offer_what_is_not_refused(catalog: Catalog) -> None:
    def offered() -> list[str]:
        command = click.Command("ls")
        found = stored_snapshots(click.Context(command), click.Argument(["snapshot"]), "")
        return [item.value for item in found if "latest" in item.value]

    assert offered() == ["db@latest", "home@latest"]
    assert run(["forget", "db@latest", "--unsafe-allow-remove-all"]) == 0
    assert offered() == ["latest", "home@latest"]
