"""What a manager accepts from a master, and what it makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from kit.program.commands import all_commands
from producer.broker.urls import is_open
from producer.cli.elsewhere.asking import ask_of
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.manager.protocol.asks.table import ASKS, DRY_RESTORE, RUNS, STOP
from producer.manager.protocol.calls import arguments_of, words_of
from producer.manager.protocol.messages import decode_command
from tasks.errors import MessageError, UsageError
from tasks.wire import encode

GOOD: dict[str, Any] = {
    "version": 1,
    "run_id": "0" * 32,
    "nonce": "1" * 32,
    "command": "backup",
    "ask": {"sources": ["data"], "level": 3, "exclude": ["*.tmp"], "one_file_system": True},
    "json": True,
    "detached": False,
    "reply_to": "master." + "0" * 32,
    "expires_s": 1,
}


def asked(command: str, **fields: Any) -> dict[str, Any]:
    return {**GOOD, "command": command, "ask": fields}


def call(command: str, **fields: Any) -> list[str]:
    return arguments_of(decode_command(asked(command, **fields)))


def test_what_is_asked_becomes_a_call_with_values_in_their_options_and_words_behind_them() -> None:
    command = decode_command(GOOD)

    assert arguments_of(command) == [
        *("backup", "--json", "--level=3", "--exclude=*.tmp", "--one-file-system"),
        *("--", "data"),
    ]
    assert decode_command(encode(command)) == command


def test_a_value_that_looks_like_an_option_stays_a_value() -> None:
    assert call("backup", sources=["data"], tag=["--config=/etc/evil"], exclude=["--"]) == [
        *("backup", "--json", "--exclude=--", "--tag=--config=/etc/evil", "--", "data"),
    ]


def test_a_master_may_require_a_mount_and_shorten_the_history() -> None:
    assert call("backup", sources=["data"], require_mount=["/mnt/usb"]) == [
        *("backup", "--json", "--require-mount=/mnt/usb", "--", "data"),
    ]
    assert call("history", keep="90d") == ["history", "--json", "--keep=90d", "--"]


def test_a_command_of_a_group_becomes_its_words_and_a_flag_can_say_no() -> None:
    assert call("schedule add", volume="v", cron="0 2 * * *", sources=["data"], catch_up=False) == [
        *("schedule", "add", "--json", "--cron=0 2 * * *", "--skip-missed", "--", "v", "data"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        *({"command": name} for name in ("worker", "manager", "flower", "schedule", "broker acl", "backup; id", "")),
        {"ask": None},
        {"ask": ["--config=/tmp/evil.toml"]},
        *(
            {"ask": {"sources": ["data"], name: "x"}}
            for name in ("config", "device", "devices", "exclude_file", "manager")
        ),
        *({"ask": {"sources": ["data"], name: "x"}} for name in ("target", "svg", "root", "json", "--tag")),
        *({"ask": {"sources": [word]}} for word in ("-x", "--config=x", "", "\0", "x" * 5000, "\ud800", 1)),
        {"ask": {"sources": "data"}},
        {"ask": {"sources": ["data"], "level": "3"}},
        {"ask": {"sources": ["data"], "segment_size": "--config=x"}},
        {"ask": {"sources": ["data"], "exclude": ["\0"]}},
        {"ask": {"sources": ["data"], "volume": "--config"}},
        {"ask": {"sources": ["data"] * 1000}},
        *({"ask": {"sources": ["data"], "require_mount": [path]}} for path in ("usb", "../usb", "--x", "/\0", "")),
        asked("history", keep="--config=x"),
        asked("schedule add", volume="v", cron="0 2 * * *", devices=["a=/etc"]),
        asked("schedule add", volume="v", cron="0 2\n* * *"),
        asked("schedule list", json=True),
        asked("plan", sources=["data"], svg="/etc/cron.d/x"),
        {**asked("plan", sources=["data"]), "detached": True},
        asked("dump", snapshot="latest", devices=["a=/etc"]),
        *(asked("restore", snapshot="latest", target=target) for target in ("/etc", "..", "a/../../b", ".", "-x", "")),
        asked("restore", snapshot="latest", target="t", force=True),
        asked(STOP),
        asked(STOP, run_id="../../x"),
        {"columns": -1},
        {"reply_to": "device.a"},
        {"reply_to": "command.m"},
        {"run_id": "../x"},
        {"nonce": ""},
        {"version": 2},
        {"version": None},
        {"expires_s": -1},
        {"root": "/"},
    ],
    ids=lambda change: ascii(change)[:100],
)
def test_what_a_master_may_not_ask_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        decode_command({**GOOD, **change})


def commands_of(group: Mapping[str, click.Command], above: str = "") -> dict[str, click.Command]:
    """Full name → command, of the group and of those in it."""
    found: dict[str, click.Command] = {}
    for name, command in group.items():
        below = commands_of(command.commands, f"{above}{name} ") if isinstance(command, click.Group) else {}
        found |= below or {above + name: command}
    return found


REMOTE = {name: command for name, command in commands_of(all_commands()).items() if isinstance(command, FleetCommand)}


def test_every_command_with_a_manager_is_one_that_managers_take() -> None:
    assert REMOTE.keys() == ASKS.keys() - {STOP, DRY_RESTORE}


@pytest.mark.parametrize("name", sorted(REMOTE))
def test_every_field_of_what_can_be_asked_is_an_option_or_a_word_of_the_command(name: str) -> None:
    params = REMOTE[name].params
    options = {option for param in params for option in (*param.opts, *param.secondary_opts)}
    words = [param.name for param in params if isinstance(param, click.Argument)]

    fields = {field.name for field in dataclasses.fields(ASKS[name])}
    assert [word for word in words if word in fields] == list(words_of(name))
    for field in fields - set(words_of(name)):
        assert "--" + field.replace("_", "-") in options


def test_what_an_operator_types_is_what_the_manager_calls(tmp_path: Path) -> None:
    (tmp_path / "patterns").write_text("*.o\n")
    words = ["data", "--level", "5", "-e", "-x*", "-x", "--exclude-file", str(tmp_path / "patterns"), "--tag=--a"]
    given, _, _ = REMOTE["backup"].make_parser(click.Context(REMOTE["backup"])).parse_args(words)

    ask = ask_of("backup", REMOTE["backup"].params, given)

    assert arguments_of(decode_command({**GOOD, "ask": encode(ask)})) == [
        *("backup", "--json", "--level=5", "--exclude=-x*", "--exclude=*.o", "--one-file-system", "--tag=--a"),
        *("--", "data"),
    ]


def test_the_dry_run_of_a_restore_is_a_command_whose_output_is_passed_on() -> None:
    command = REMOTE["restore"]
    words = ["latest", "--target=t", "-n", "--delete", "--overwrite", "if-newer"]
    given, _, _ = command.make_parser(click.Context(command)).parse_args(words)

    ask = ask_of(DRY_RESTORE, command.params, given)

    assert DRY_RESTORE not in RUNS
    assert arguments_of(decode_command({**GOOD, "command": DRY_RESTORE, "json": False, "ask": encode(ask)})) == [
        *("restore", "--dry-run", "--target=t", "--overwrite=if-newer", "--delete", "--", "latest"),
    ]


def test_the_dry_run_of_a_forget_is_one_at_the_manager_too() -> None:
    command = REMOTE["forget"]
    words = ["--volume=home", "--keep-daily=7", "--keep-within=1y5m", "--keep-last=unlimited", "-n", "--prune"]
    given, _, _ = command.make_parser(click.Context(command)).parse_args(words)

    # As the command line keeps them: the words that were given.
    ask = ask_of("forget", command.params, {name: given[name] for name in given if name != "snapshots"})

    assert arguments_of(decode_command({**GOOD, "command": "forget", "ask": encode(ask)})) == [
        *("forget", "--json", "--keep-last=unlimited", "--keep-daily=7", "--keep-within=1y5m"),
        *("--volume=home", "--dry-run", "--prune", "--"),
    ]


def test_what_managers_do_not_take_is_a_usage_error_at_the_master() -> None:
    with pytest.raises(UsageError, match="does not take --force"):
        ask_of("restore", REMOTE["restore"].params, {"snapshot": "latest", "target": "t", "force": True})
    with pytest.raises(UsageError, match="sources"):
        ask_of("backup", REMOTE["backup"].params, {"sources": ["-x"]})


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
