"""``[volumes.NAME]`` and ``[schedules.NAME]``: what they may hold, and how their faults are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.configuration.reading import parse_configuration
from producer.configuration.tables import RetentionTable, ScheduleTable
from tasks.errors import UsageError

FILE = Path("/etc/segfleet/segfleet.toml")

GIVEN = """
[devices.a]
path = "/mnt/a"

[sources.data]
path = "/srv/data"

[volumes.home]
sources = ["data", "/home", "./beside"]
devices = ["a"]
exclude = ["*.tmp"]
exclude-file = ["patterns"]
require-mount = ["/srv"]
level = 9
freeze = true
max-age = "26h"

[schedules.home]
cron = "0 2 * * *"

[schedules.weekly]
volume = "data"
cron = "0 4 * * sun"
timezone = "Europe/Berlin"
if-missed = "skip"
if-busy = "skip"
"""


def test_sources_are_names_or_paths_and_paths_start_at_the_folder_of_the_file() -> None:
    table = parse_configuration(GIVEN, FILE).volumes["home"]
    assert table.sources == ("data", "/home", "/etc/segfleet/beside")
    assert table.exclude_file == ("/etc/segfleet/patterns",)
    assert table.given() == {"level": 9, "freeze": True}


def test_a_schedule_is_of_the_volume_of_its_name_unless_it_says_another() -> None:
    found = parse_configuration(GIVEN, FILE).schedules
    assert found["home"] == ScheduleTable(cron="0 2 * * *", volume="home")
    assert (found["weekly"].volume, found["weekly"].if_missed) == ("data", "skip")


def test_a_policy_has_the_names_of_the_options() -> None:
    text = '[volumes.x.retention]\nkeep-daily = 7\nkeep-last = "unlimited"\nkeep-within-weekly = "1m"\nkeep-tag = ["t"]'
    table = parse_configuration(text, FILE).volumes["x"].retention
    assert table == RetentionTable(keep_daily=7, keep_last="unlimited", keep_within_weekly="1m", keep_tag=("t",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[volumes.x]\nsources = ['nosuch']", ":2: volumes.x.sources: there is no [sources.nosuch]"),
        ("[volumes.x]\npre = ''\ndevices = ['z']", ":3: volumes.x.devices: there is no [devices.z]"),
        ("[volumes.x]\nmax-age = 'old'", ":2: volumes.x.max-age: 'old' is not an age"),
        ("[volumes.x]\nlevle = 3", ":2: unknown key 'levle' in [volumes.x]"),
        ("[volumes.x]\nlevel = 300", ":2: volumes.x.level: must be at most 22"),
        ("[volumes.x]\nexpect-ratio = 0.1", ":2: volumes.x.expect-ratio: must be at least 0.5"),
        ("[volumes.x.retention]\nkeep-dialy = 3", ":2: unknown key 'keep-dialy' in [volumes.x.retention]"),
        ("[volumes.x.retention]\nkeep-daily = -3", ":2: volumes.x.retention.keep-daily: must be at least 0"),
        ("[volumes.x.retention]\nkeep-within = '2w'", ":2: volumes.x.retention.keep-within: '2w' is not a span"),
        ("[volumes.x.retention]\nprune = true", ":1: volumes.x.retention: this keeps nothing"),
        ("[volumes.x.retention]\nkeep-last = 0", ":1: volumes.x.retention: this keeps nothing"),
        ("[volumes.x]\nretention = 7", ":2: volumes.x.retention"),
        ("[schedules.x]\ncron = '0 2 * * *'", ":1: schedules.x: volume x has no sources"),
        ("[schedules.x]\nvolume = 'y'\ncron = '0 2 * * *'", ":2: schedules.x: volume y has no sources"),
        ("[sources.x]\npath = '/x'\n[schedules.x]", ":3: schedules.x: cron is missing"),
        ("[sources.x]\npath = '/x'\n[schedules.x]\ncron = ''\nif-missed = 'no'", ":5: schedules.x.if-missed"),
    ],
)
def test_a_fault_names_the_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_configuration(text, FILE)
    assert str(refusal.value.message).startswith(f"{FILE}{said}")
