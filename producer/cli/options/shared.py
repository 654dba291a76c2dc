"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from producer.cli.call import GIVEN, Call
from producer.cli.options.completing import files
from producer.cli.options.sources.paths import absolute
from producer.cli.options.volumes import devices_among, table_meant
from producer.configuration.values.durations import parse_duration
from producer.configuration.values.moments import parse_moment
from producer.configuration.values.sizes import parse_size
from producer.host.places import place_of
from tasks.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

_DEVICE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_-]{0,62})=(?P<path>.+)", re.DOTALL)


def size_between(min_bytes: int, max_bytes: int = 2**63 - 1) -> Callable[[str | int], int]:
    """Reads an option's value such as ``24MiB``, within bounds."""

    def size(value: str | int) -> int:
        try:
            size_bytes = value if isinstance(value, int) else parse_size(value)
        except UsageError as error:
            raise click.BadParameter(f"{error.message}: {error.hint}") from error
        if not min_bytes <= size_bytes <= max_bytes:
            raise click.BadParameter(f"{value} is outside {min_bytes} to {max_bytes} bytes")
        return size_bytes

    return size


def named_folder(value: str) -> tuple[str, Path]:
    """Reads ``NAME=PATH`` as (name, absolute path)."""
    match = _DEVICE.fullmatch(value)
    if match is None:
        raise click.BadParameter(
            f"{value!r} is not NAME=PATH; NAME is 1 to 63 letters, digits, '-' and '_', starting with a letter or digit"
        )
    return match["name"], absolute(match["path"])


def default_option(name: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that ``SEGFLEET_<NAME>`` in the environment and ``[defaults]`` in the file can set too."""
    variable = "SEGFLEET_" + name.partition("/")[0].removeprefix("--").upper().replace("-", "_")
    return click.option(name, envvar=variable, show_envvar=True, **{"show_default": True, **settings})


def _read_configuration(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    call = ctx.ensure_object(Call)
    if ctx.resilient_parsing:
        # A shell asks what may follow.
        return
    call.read_configuration(value)
    # Others name a volume too, but store nothing: their devices are all that are configured.
    if call.configuration.volumes and any(param.name == "raw_above" for param in ctx.command.params):
        call.volume_table = table_meant(ctx.meta.get(GIVEN, {}), call.configuration, call.asker)
    of_volume = call.volume_table.given() if call.volume_table is not None else {}
    ctx.default_map = call.configuration.defaults.given() | of_volume


def _want_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Call).json = value


def _want_quiet(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    call = ctx.ensure_object(Call)
    call.quiet = value
    _refuse_both(call)


def _want_verbose(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    call = ctx.ensure_object(Call)
    call.verbose = value
    _refuse_both(call)


def _refuse_both(call: Call) -> None:
    if call.verbose and call.quiet:
        raise UsageError("--quiet and --verbose exclude each other", hint="leave one out")


def _want_wide(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Call).wide = value


def _moment(text: str) -> datetime:
    try:
        return parse_moment(text, datetime.now(UTC))
    except UsageError as error:
        raise click.BadParameter(f"{error.message}: {error.hint}") from error


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except UsageError as error:
        raise click.BadParameter(f"{error.message}: {error.hint}") from error


def _keep_wait(ctx: click.Context, _param: click.Parameter, value: int) -> None:
    ctx.ensure_object(Call).wait_s = value


def _collect_devices(
    ctx: click.Context, _param: click.Parameter, value: tuple[tuple[str, Path], ...]
) -> dict[str, Path]:
    devices: dict[str, Path] = {}
    for name, path in value:
        if name in devices:
            raise click.BadParameter(f"{name!r} is named twice: {devices[name]} and {path}")
        devices[name] = path
    return devices or configured_devices(ctx.ensure_object(Call))


def configured_devices(call: Call) -> dict[str, Path]:
    """The devices of the configuration, or those of them that the volume takes."""
    configured = call.configuration.devices
    # Without a broker there are no agents: a table without a path only says how the device is to be used.
    names = [
        name
        for name in devices_among(configured, call.volume_table)
        if configured[name].path is not None or call.broker_url is not None
    ]
    return {name: place_of(name, configured[name].path) for name in names}


#: Eager: the other options take their defaults from this file.
config_option = click.option(
    "--config",
    metavar="FILE",
    shell_complete=files,
    is_eager=True,
    expose_value=False,
    callback=_read_configuration,
    help="Configuration file.  "
    "[env var: SEGFLEET_CONFIG; default: ./segfleet.toml, the user's, then /etc/segfleet/segfleet.toml]",
)
json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_want_json, help="Print one JSON object per line."
)
quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_want_quiet,
    help="Print nothing when all is well, for cron.",
)
verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_want_verbose,
    help="Name each file that is new (N), changed (C) or moved (M).",
)
wide_option = click.option(
    "--wide", is_flag=True, expose_value=False, callback=_want_wide, help="Show all columns, however wide the table."
)
since_option = click.option(
    "--since",
    type=_moment,
    metavar="TIME",
    help="Only those that began at TIME or later: 2026-11-20, 2026-11-20T18:30, or an age: 36h, 90d.",
)
devices_option = click.option(
    "--device",
    "devices",
    type=named_folder,
    multiple=True,
    callback=_collect_devices,
    metavar="NAME=PATH",
    help="A device and its folder; repeat for each.  [default: all in the configuration]",
)
threads_option = default_option(
    "--threads",
    type=click.IntRange(1, 256),
    metavar="N",
    show_default="by cores and devices",
    help="Compression threads per worker.",
)
nice_option = default_option(
    "--nice",
    type=click.IntRange(0, 19),
    default=0,
    metavar="N",
    help="Run the workers at a lower priority, like nice -n N.",
)
wait_option = click.option(
    "--wait",
    type=_duration,
    default="0",
    expose_value=False,
    callback=_keep_wait,
    metavar="TIME",
    show_default="not at all",
    help="How long to wait for a lock that another run holds: 90s, 5m, 1h30m.",
)
lost_files_option = click.option(
    "--lost-files", metavar="FILE", help="Write a line for each file that cannot be restored into FILE."
)
