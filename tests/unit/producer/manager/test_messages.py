"""What a manager accepts from a master, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import pytest

from kit.commands import all_commands
from producer.broker.urls import is_open
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.manager.messages import COMMANDS, STOP, decode_command
from tasks.errors import MessageError
from tasks.wire import encode

GOOD = {
    "version": 1,
    "run_id": "0" * 32,
    "command": "backup",
    "options": ["--level=3", "--exclude=*.tmp"],
    "words": ["data"],
    "json": True,
    "detached": False,
    "reply_to": "master." + "0" * 32,
    "expires_s": 1,
}


def test_a_command_becomes_a_command_line_whose_words_stay_words() -> None:
    command = decode_command({**GOOD, "words": ["--config=/etc/passwd", "data"]})

    assert command.arguments() == [
        *("backup", "--json", "--level=3", "--exclude=*.tmp"),
        *("--", "--config=/etc/passwd", "data"),
    ]
    assert decode_command(encode(command)) == command


@pytest.mark.parametrize(
    "change",
    [
        {"command": "worker"},
        {"command": "manager"},
        {"command": "flower"},
        {"command": "schedule"},
        {"command": "schedule add", "options": ["--device=a=/etc"]},
        {"command": "schedule list", "options": ["--json"]},
        {"command": "plan", "options": ["--svg=/etc/cron.d/x"]},
        {"command": "plan", "detached": True},
        {"command": "dump", "options": ["--device=a=/etc"]},
        {"columns": -1},
        {"command": "backup; id"},
        {"options": ["--config=/tmp/evil.toml"]},
        {"options": ["--device=a=/etc"]},
        {"options": ["--exclude-file=/etc/shadow"]},
        {"options": ["--manager=local"]},
        {"options": ["-e", "x"]},
        {"options": ["--level"], "command": "restore"},
        {"options": ["x"]},
        {"options": ["--exclude=\0"]},
        {"options": ["--target=/etc"], "command": "restore"},
        {"options": ["--target=.."], "command": "restore"},
        {"options": ["--target=a/../../b"], "command": "restore"},
        {"options": ["--force"], "command": "restore"},
        {"words": ["x" * 10_000]},
        {"words": "data"},
        {"command": STOP, "options": [], "words": []},
        {"command": STOP, "options": [], "words": ["../../x"]},
        {"reply_to": "device.a"},
        {"reply_to": "command.m"},
        {"run_id": "../x"},
        {"version": 2},
        {"version": None},
        {"expires_s": -1},
        {"root": "/"},
    ],
    ids=str,
)
def test_a_command_that_a_master_may_not_give_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        decode_command({**GOOD, **change})


def commands_of(group: Mapping[str, click.Command], above: str = "") -> dict[str, click.Command]:
    """Full name → command, of the group and of those in it."""
    found: dict[str, click.Command] = {}
    for name, command in group.items():
        below = commands_of(command.commands, f"{above}{name} ") if isinstance(command, click.Group) else {}
        found |= below or {above + name: command}
    return found


def test_a_command_of_a_group_becomes_its_words() -> None:
    command = decode_command({**GOOD, "command": "schedule add", "options": ["--cron=0 2 * * *"]})

    assert command.arguments() == ["schedule", "add", "--json", "--cron=0 2 * * *", "--", "data"]


def test_every_command_with_a_manager_is_one_that_managers_take_and_every_option_they_take_exists() -> None:
    remote = {
        name: command for name, command in commands_of(all_commands()).items() if isinstance(command, FleetCommand)
    }

    assert remote.keys() == COMMANDS.keys() - {STOP}
    for name, command in remote.items():
        options = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
        assert COMMANDS[name] <= options, name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:6379/0", True),
        ("rediss://host:6379/0", True),
        ("redis://user@host", True),
        ("redis://:secret@host", False),
        ("redis://user:secret@host/0", False),
        ("rediss://host/0?ssl_certfile=/c&ssl_keyfile=/k", False),
        ("redis+socket:///run/redis.sock", False),
    ],
)
def test_a_broker_is_open_when_it_asks_for_nothing_over_tcp(url: str, expected: bool) -> None:
    assert is_open(url) is expected
