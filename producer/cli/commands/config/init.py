"""``segfleet init``: a new configuration file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from platformdirs import user_config_path

from producer.cli.call import Call
from producer.cli.commands.config.questions import ask_cron, ask_devices, ask_sources
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.completing import files
from producer.cli.options.shared import json_option, named_folder
from producer.cli.options.sources.naming import is_volume_name, source_name, volume_name
from producer.cli.options.sources.paths import absolute
from producer.cli.show.json_lines import write_row
from producer.cli.show.wrapped import say
from producer.configuration.finding import CONFIG_VARIABLE, FILE_NAME, SYSTEM_FOLDER
from producer.configuration.reading import parse_configuration
from producer.configuration.writing import Wishes, configuration_text
from producer.host.scouting.looks import look
from producer.host.whole_file import write_whole
from tasks.errors import UsageError


@click.command(cls=CommandHere)
@click.argument("sources", nargs=-1, metavar="[FOLDER...]", shell_complete=files)
@click.option(
    "--device",
    "devices",
    type=named_folder,
    multiple=True,
    metavar="NAME=PATH",
    help="A device and its folder; repeat for each.",
)
@click.option("--volume", metavar="NAME", help="Name of the volume.  [default: made from the folders' names]")
@click.option("--cron", metavar="LINE", help='When to back up: "0 2 * * *", or @daily.  [default: no schedule]')
@click.option("--tz", "timezone", metavar="ZONE", help="Time zone of the cron line.  [default: this machine's]")
@click.option("-e", "--exclude", multiple=True, metavar="PATTERN", help="Skip paths that match PATTERN; repeatable.")
@click.option(
    "--file",
    metavar="FILE",
    shell_complete=files,
    help="The file to write.  [default: $SEGFLEET_CONFIG, else /etc/segfleet/segfleet.toml for root, else the user's]",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
@click.pass_obj
def init(
    call: Call,
    sources: tuple[str, ...],
    devices: tuple[tuple[str, Path], ...],
    volume: str | None,
    cron: str | None,
    timezone: str | None,
    exclude: tuple[str, ...],
    file: str | None,
    force: bool,
) -> None:
    """Write a configuration file with comments that backs up FOLDERs.  On a terminal, ask for what is missing.

    It backs up nothing and makes no device; segfleet backup does that.
    """
    # What the next command reads.
    named = file or call.config_file or os.environ.get(CONFIG_VARIABLE)
    path = absolute(named) if named else _usual_file()
    if not force and look(path, Path.exists):
        raise UsageError(f"{path} exists", hint="edit it, name another --file, or replace it with --force")
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not call.json
    if asks and cron is None and not (sources and devices):
        sources = sources or ask_sources()
        devices = devices or ask_devices()
        cron = ask_cron()
    wishes = _wishes(sources, devices, volume=volume, cron=cron, timezone=timezone, exclude=exclude)
    _write(path, configuration_text(wishes))
    if call.json:
        write_row({"message_type": "configuration", "file": str(path), "volume": wishes.volume})
    else:
        say(f"{path} is written; check it with: segfleet config check")
        say(f"then: segfleet backup --volume {wishes.volume}")


def _usual_file() -> Path:
    return (SYSTEM_FOLDER if os.geteuid() == 0 else user_config_path("segfleet")) / FILE_NAME


def _wishes(
    sources: tuple[str, ...],
    devices: tuple[tuple[str, Path], ...],
    *,
    volume: str | None,
    cron: str | None,
    timezone: str | None,
    exclude: tuple[str, ...],
) -> Wishes:
    if not sources or not devices:
        what = "no folder to back up is named" if not sources else "no device is named"
        raise UsageError(what, hint="segfleet init /home --device a=/mnt/a/segfleet --device b=/mnt/b/segfleet")
    if len(dict(devices)) < len(devices):
        raise UsageError("a device is named twice", hint="give each its own name")
    named: dict[str, Path] = {}
    for source in sources:
        found = absolute(source)
        named[source_name(found, named)] = found
    name = volume or volume_name(list(named))
    if not is_volume_name(name):
        raise UsageError(f"{name!r} is not a valid volume name", hint="use letters, digits, '-' and '_'")
    if cron is not None:
        _check(cron, timezone)
    return Wishes(volume=name, sources=named, devices=dict(devices), cron=cron, timezone=timezone, exclude=exclude)


def _check(cron: str, timezone: str | None) -> None:
    """Raises UsageError for a line that never fires, and for an unknown time zone."""
    from producer.schedule.timetable import Timetable, local_zone

    Timetable(cron, timezone or local_zone())


def _write(path: Path, text: str) -> None:
    """Raises UsageError, also for names that TOML cannot hold."""
    try:
        content = text.encode()
        parse_configuration(text, path)
        look(path, lambda path: _write_with_folder(path, content))
    except UnicodeEncodeError as error:
        raise UsageError("a path is not UTF-8, which TOML files are", hint="name it on the command line") from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="name a --file that you can write") from error


def _write_with_folder(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # It may get a password.
    write_whole(path, content, 0o600)
