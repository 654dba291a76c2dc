"""From the words of ``schedule add`` to the words of the backups that it reserves, and from those to a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from producer.cli.call import Call
from producer.cli.commands.backup.backup import backup
from producer.cli.commands.retention.forget import forget
from producer.cli.options.backup_request import request_from
from producer.cli.options.retention import RETENTION, configured_retention, retention_from
from producer.cli.options.sources.paths import absolute

if TYPE_CHECKING:
    from producer.requests import BackupRequest, Retention
    from producer.schedule.asked import Asked

#: Options of ``schedule add`` that say when; the others say what, as those of ``backup``.
_WHEN = {
    "cron",
    "timezone",
    "catch_up",
    "overlap",
    "json",
    "config",
    "manager",
    "volume",
    "sources",
    "checks",
    "read_data",
    "subset",
}

#: Those of ``forget``.
_BOUNDS = RETENTION | {"prunes"}


def asked_with(
    call: Call, params: Iterable[click.Parameter], given: Mapping[str, Any], values: Mapping[str, Any]
) -> Asked:
    """``given``: the words of the command line, ``values`` what they mean, both by parameter."""
    from producer.schedule.asked import Asked

    options = [param for param in params if isinstance(param, click.Option) and param.name not in _WHEN]
    words = [word for option in options if option.name not in _BOUNDS for word in _words(option, given, values)]
    keep = [word for option in options if option.name in _BOUNDS for word in _words(option, given, values)]
    # A master's paths start on the manager's host, and are looked at there when the time comes.
    sources = given["sources"] if call.asker == "master" else [_source(call, word) for word in given["sources"]]
    arguments = (f"--volume={given['volume']}", *words, *(("--", *sources) if sources else ()))
    return Asked(arguments=arguments, keep=tuple(keep), by_master=call.asker == "master")


def request_of(asked: Asked, call: Call) -> tuple[BackupRequest, Call]:
    """The request that the words mean now, and the call with the configuration as it is now; raises UsageError."""
    file = str(call.configuration_path) if call.configuration_path is not None else None
    anew = Call(config_file=file, output=call.output, by_master=asked.by_master)
    context = backup.make_context("backup", list(asked.arguments), obj=anew)
    request = request_from(anew, **context.params)
    return request, replace(anew, json=call.json, quiet=call.quiet, wait_s=call.wait_s)


def bounds_of(asked: Asked, volume: str, call: Call) -> tuple[Retention | None, bool]:
    """What is to be kept of the volume (None: everything), and whether to prune then.

    The reservation's words count, and where it has none the configuration.
    """
    context = forget.make_context("forget", list(asked.keep), obj=Call(output=call.output))
    retention, prunes = retention_from(context.params), bool(context.params["prunes"])
    if retention is not None:
        return retention, prunes
    table = call.configuration.volumes.get(volume)
    prunes = prunes or (table is not None and table.retention is not None and table.retention.prune)
    return configured_retention(call.configuration, volume), prunes


def _source(call: Call, word: str) -> str:
    return word if word in call.configuration.sources else str(absolute(word))


def _words(option: click.Option, given: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    value, name = given.get(option.name or ""), max(option.opts, key=len)
    if value is None:
        return
    if isinstance(value, bool):
        yield name if value else option.secondary_opts[0]
    elif option.name == "devices":
        yield from (f"{name}={device}={path}" for device, path in values["devices"].items())
    elif option.name in ("exclude_files", "required_mounts"):
        yield from (f"{name}={absolute(path)}" for path in value)
    else:
        yield from (f"{name}={word}" for word in ([value] if isinstance(value, str) else value))
