"""A configuration that ``segfleet init`` writes says what was wished for, and can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.configuration.reading import parse_configuration
from producer.configuration.settings import settings_in
from producer.configuration.writing import Wishes, configuration_text

FILE = Path("/etc/segfleet/segfleet.toml")
WISHES = Wishes(
    volume="home",
    sources={"home": Path("/home"), 'my "own" files': Path("/srv/my \\ own")},
    devices={"a": Path("/mnt/a"), "b": Path("/mnt/b")},
    exclude=("*.tmp",),
)


def test_what_is_wished_for_is_read_again() -> None:
    found = parse_configuration(configuration_text(WISHES), FILE)
    assert {name: table.path for name, table in found.devices.items()} == {"a": "/mnt/a", "b": "/mnt/b"}
    assert {name: Path(table.path) for name, table in found.sources.items()} == WISHES.sources
    assert found.volumes["home"].sources == tuple(WISHES.sources)
    assert found.volumes["home"].exclude == ("*.tmp",)
    assert found.schedules == {}


def test_what_is_commented_out_is_valid_too() -> None:
    text = configuration_text(WISHES)
    settings = [line for line in text.splitlines() if line.startswith("# ") and " = " in line]
    lines = [line[2:] if line in settings or line == "# [schedules.home]" else line for line in text.splitlines()]
    lines = ["" if line.startswith("url =") or line == "[broker]" else line for line in lines]
    found = parse_configuration("\n".join(lines), FILE)
    assert found.schedules["home"].cron == "0 2 * * *"
    assert found.volumes["home"].max_age == "26h"


@pytest.mark.parametrize("timezone", [None, "Europe/Berlin"])
def test_a_schedule_is_written_with_its_zone(timezone: str | None) -> None:
    wishes = Wishes(volume="home", sources=WISHES.sources, devices=WISHES.devices, cron="0 4 * * *", timezone=timezone)
    found = parse_configuration(configuration_text(wishes), FILE).schedules["home"]
    assert (found.cron, found.timezone) == ("0 4 * * *", timezone)


def test_settings_come_with_their_lines() -> None:
    text = '[devices.a]\npath = "/a"\n\n[defaults]\nlevel = 9\n'
    assert [(one.name, one.value, one.line) for one in settings_in(text)] == [
        ("devices.a.path", "/a", 2),
        ("defaults.level", 9, 5),
    ]
