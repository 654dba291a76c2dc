"""Scheduled checks and prunes, which are of all volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.commands.care.check import check
from producer.cli.commands.retention.prune import prune
from producer.summaries import UpkeepSummary
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.schedule.asked import Asked

_COMMANDS: Mapping[str, click.Command] = {"check": check, "prune": prune}

#: The only options of ``schedule add`` that a check or a prune has.
_OPTIONS = frozenset(
    ("cron", "timezone", "catch_up", "overlap", "json", "config", "manager", "checks", "prunes", "read_data", "subset")
)


def asked_upkeep(given: Mapping[str, Any], *, checks: bool, prunes: bool) -> Asked:
    """What is asked for without a volume; ``given``: the words of the command line by parameter.

    Raises UsageError unless it is a check or a prune, with options of its own.
    """
    from producer.schedule.asked import Asked

    if checks == prunes:
        raise UsageError(
            "say what to schedule",
            hint="name a VOLUME to back up, or give --check or --prune, each in a schedule of its own",
        )
    foreign = sorted(name for name, value in given.items() if value and name not in _OPTIONS)
    if foreign:
        raise UsageError(
            f"a scheduled {'check' if checks else 'prune'} takes no options of a backup", hint="leave them out"
        )
    reads_data, subset = bool(given.get("read_data")), given.get("subset")
    if prunes and (reads_data or subset):
        raise UsageError("a prune reads no data", hint="leave --read-data out")
    words = [*(["--read-data"] if reads_data else []), *([f"--read-data-subset={subset}"] if subset else [])]
    return Asked(arguments=tuple(words), kind="check" if checks else "prune", by_master=False)


def refuse_for_backup(*, checks: bool, reads_data: bool) -> None:
    """Raises UsageError for options of a check beside a volume."""
    if checks or reads_data:
        raise UsageError(
            "a scheduled check covers all volumes", hint="leave VOLUME out: schedule add --check --cron LINE"
        )


def carry_out(asked: Asked, call: Call) -> UpkeepSummary:
    """Run the command now, with the configuration as it is now; raises what it raises."""
    file = str(call.configuration_path) if call.configuration_path is not None else None
    anew, command = Call(config_file=file, output=call.output), _COMMANDS[asked.kind]
    context = command.make_context(asked.kind, list(asked.arguments), obj=anew)
    anew.json, anew.quiet, anew.wait_s = call.json, call.quiet, call.wait_s
    assert command.callback is not None
    with context:
        return UpkeepSummary(kind=asked.kind, exit_code=context.invoke(command.callback, **context.params) or 0)
