"""A manager follows its configuration while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from producer.catalog.catalog import Catalog
from producer.cli.call import Call
from producer.cli.commands.services.followed import FollowedConfiguration

WITHOUT = '[sources.data]\npath = "data"\n'
NIGHTLY = WITHOUT + '[schedules.data]\ncron = "0 2 * * *"\n'


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}") as opened:
        yield opened


def test_schedules_come_and_go_with_the_file_and_its_errors_are_noted_once(catalog: Catalog, tmp_path: Path) -> None:
    file, notes, call = tmp_path / "segfleet.toml", list[str](), Call()
    file.write_text(WITHOUT)
    call.read_configuration(str(file))
    followed = FollowedConfiguration(call, catalog, manager="tower", note=notes.append, look_every_s=0)

    def crons_with(text: str) -> list[str]:
        file.write_text(text)
        followed.look()
        followed.look()
        return [row.cron for row in catalog.reservations.all() if followed.serves(row)]

    steps: list[Callable[[], list[str]]] = [
        lambda: crons_with(WITHOUT),
        lambda: crons_with(NIGHTLY),
        lambda: crons_with(NIGHTLY + "levle = 3\n"),
        lambda: crons_with(NIGHTLY.replace("0 2", "0 22")),
        lambda: crons_with(WITHOUT + "#"),
    ]
    assert [step() for step in steps] == [[], ["0 2 * * *"], ["0 2 * * *"], ["0 22 * * *"], []]
    assert notes == [f"the configuration stays as it was: {file}:5: unknown key 'levle' in [schedules.data]"]
