"""``segfleet config show``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from producer.cli.call import BROKER_VARIABLE, CATALOG_VARIABLE, Call
from producer.cli.commands.config.text import file_of
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.shared import config_option, json_option, wide_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.wrapped import warn
from producer.configuration.finding import CONFIG_VARIABLE
from producer.configuration.settings import Setting, settings_in
from producer.host.state import VARIABLE as STATE_VARIABLE
from tasks.errors import UsageError

_HEADER = ("key", "value", "from")

#: Variables that are no option of a command → the key of the file in whose place they stand; the file has no ``state``.
_OWN_VARIABLES = {BROKER_VARIABLE: "broker.url", CATALOG_VARIABLE: "catalog.url", STATE_VARIABLE: "state"}

_HIDDEN = "***"


class Held(Struct, frozen=True, kw_only=True):
    """A value that holds, and where it comes from; secrets are hidden."""

    key: str
    value: Any
    origin: str


@click.command(cls=CommandHere)
@wide_option
@json_option
@config_option
@click.pass_obj
def show(call: Call) -> None:
    """Show each setting that is not the default, and where it comes from: the environment, or a line of the file.

    Options on a command line win over both.  Passwords are not shown.
    """
    try:
        path, text = file_of(call)
    except UsageError:
        found = held([], Path(), os.environ, _variables())
    else:
        found = held(settings_in(text), path, os.environ, _variables())
    if call.json:
        for one in found:
            write_row({"message_type": "setting", "key": one.key, "value": one.value, "from": one.origin})
        return
    _say_which_file(call)
    rows = [(one.key, escaped(_in_words(one.value)), escaped(one.origin)) for one in found]
    for line in lines_of(_HEADER, rows, width=call.width):
        click.echo(line)


def _say_which_file(call: Call) -> None:
    path = call.configuration_path
    if path is None:
        warn("there is no configuration file; these come from the environment")
        return
    how = "--config" if call.config_file else CONFIG_VARIABLE if os.environ.get(CONFIG_VARIABLE) else "found"
    warn(f"{path} ({how})")


def held(settings: list[Setting], path: Path, environ: Mapping[str, str], variables: Mapping[str, str]) -> list[Held]:
    """What holds, in the order of the file, then what only the environment has.

    ``variables``: name of a variable → the key in whose place it stands.
    """
    by_key = {key: variable for variable, key in variables.items() if _is_set(environ, variable)}
    found = [
        _from_variable(setting.name, by_key[setting.name], environ)
        if setting.name in by_key
        else Held(key=setting.name, value=_shown(setting.keys, setting.value), origin=f"{path}:{setting.line}")
        for setting in settings
    ]
    known = {one.key for one in found}
    others = sorted(variable for variable in variables if _is_set(environ, variable))
    found += [_from_variable(variables[name], name, environ) for name in others if variables[name] not in known]
    return found


def _is_set(environ: Mapping[str, str], variable: str) -> bool:
    return bool(environ.get(variable) or environ.get(f"{variable}_FILE"))


def _from_variable(key: str, variable: str, environ: Mapping[str, str]) -> Held:
    if not environ.get(variable):
        return Held(key=key, value=_HIDDEN, origin=f"{variable}_FILE={environ[f'{variable}_FILE']}")
    return Held(key=key, value=_shown(tuple(key.split(".")), environ[variable]), origin=variable)


def _shown(keys: tuple[str, ...], value: Any) -> Any:
    """The value without what nobody else may see: passwords, and addresses that are as good as passwords."""
    from producer.broker.urls import without_password

    if keys[0] == "notify" and keys[-1] in ("smtp", "urls", "health-check"):
        return _HIDDEN
    return without_password(value) if keys[-1] == "url" and isinstance(value, str) else value


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _variables() -> dict[str, str]:
    return _OWN_VARIABLES | dict(_of_options())


def _of_options() -> Iterator[tuple[str, str]]:
    from producer.cli.commands.backup.backup import backup

    for param in backup.params:
        if isinstance(param, click.Option) and isinstance(param.envvar, str):
            name = max(param.opts, key=len).removeprefix("--")
            yield param.envvar, f"defaults.{name}"
