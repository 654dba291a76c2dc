"""Commands that a manager can carry out: the one named by ``--manager``, else the one that has the volume."""

from __future__ import annotations

import re
from typing import Any

import click

from producer.cli.call import GIVEN, Call
from producer.cli.elsewhere.command import Command
from producer.cli.options.sections import write_options
from producer.cli.options.sources.naming import volume_name
from producer.cli.show.json_lines import write_row
from producer.host.behalf import HERE
from tasks.errors import UsageError

_MANAGER = "segfleet.manager"
_DETACH = "segfleet.detach"

#: In ``ctx.meta``: the words after ``--``; None without it.
BEHIND = "segfleet.behind"

#: Commands that take long, and can be detached.
_RUNS = ("backup", "resume", "retry", "restore", "check")

_DRY_RUNS = {"backup": "plan", "restore": "restore --dry-run"}

_ID = re.compile(r"[0-9a-f]{8,32}")


class FleetCommand(Command):
    """A command with ``--manager``, and ``--detach`` if it takes long.  Managers know it by its full name."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        named = {"metavar": "NAME", "envvar": "SEGFLEET_MANAGER", "show_envvar": True}
        self.params.append(_option_for("--manager", _MANAGER, help=_MANAGER_HELP, **named))
        if self.name in _RUNS:
            self.params.append(
                _option_for("--detach", _DETACH, is_flag=True, help="Print the run's id and return at once.")
            )

    def manager_named(self, ctx: click.Context) -> str | None:
        """The manager that the operator named, or HERE; None if neither."""
        return ctx.meta.get(_MANAGER) or None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_options(self.get_params(ctx), ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        ctx.meta[BEHIND] = tuple(given[given.index("--") + 1 :]) if "--" in given else None
        # Parsed twice: the values in ctx.params are converted, and options take their defaults from the volume that
        # the words mean.
        values = self.make_parser(ctx).parse_args(given)[0]
        ctx.meta[GIVEN] = {
            name: value for name, value in values.items() if isinstance(value, str | bool | list | tuple)
        }
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        call: Call = ctx.ensure_object(Call)
        detach = bool(ctx.meta.get(_DETACH))
        if call.broker_url is not None and not call.is_on_behalf:
            code = self._ask(ctx, call, detach=detach)
            if code is not None:
                return code
        elif ctx.meta.get(_MANAGER) and not call.is_on_behalf:
            raise UsageError("--manager needs a broker", hint="set [broker] url in the configuration")
        if detach:
            raise UsageError("--detach needs a manager to continue the run", hint="see docs/fleet.md")
        return super().invoke(ctx)

    def _ask(self, ctx: click.Context, call: Call, *, detach: bool) -> int | None:
        # Only here: the imports of the queue take a third of a second.
        from producer.cli.elsewhere.asking import ask_of
        from producer.cli.elsewhere.open_broker import warn_about_broker
        from producer.cli.elsewhere.remote import shown
        from producer.manager.protocol.asks.table import RUNS
        from producer.master.ask import ask
        from producer.master.choose import choose_manager

        assert call.broker_url is not None
        given = ctx.meta[GIVEN]
        command = _full_name(ctx, given)
        if given.get("from_stdin") or given.get("from_command"):
            _refuse_manager_for_stream(self.manager_named(ctx))
            return None
        if detach and command not in RUNS:
            raise UsageError("only a run can be detached", hint="leave --detach out")
        manager = choose_manager(call.broker_url, ctx.meta.get(_MANAGER), _volume(given), given.get("sources") or ())
        warn_about_broker(call.broker_url)
        if manager is None:
            return None
        _refuse_places_here(given)

        def on_accepted(run_id: str) -> None:
            if detach and call.json:
                write_row({"message_type": "run", "run_id": run_id, "manager": manager.name})
            elif detach:
                click.echo(run_id)

        with shown(call, command, given.get("lost_files")) as show:
            return ask(
                call.broker_url,
                manager.name,
                command,
                ask_of(command, self.params, given),
                json=call.json,
                columns=call.width or 0,
                detached=detach,
                show=show,
                on_accepted=on_accepted,
            )


_MANAGER_HELP = "In a fleet: the manager to ask; local: run it here.  [default: the manager that has the volume]"


def _option_for(name: str, place: str, **settings: Any) -> click.Option:
    def keep(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        ctx.meta[place] = value

    return click.Option([name], expose_value=False, callback=keep, **settings)


def _full_name(ctx: click.Context, given: dict[str, Any]) -> str:
    """The name that managers use: ``schedule add``; the dry run of a backup is a ``plan``."""
    name = ctx.command_path.partition(" ")[2]
    return _DRY_RUNS.get(name, name) if given.get("dry_run") else name


def _volume(given: dict[str, Any]) -> str:
    """The volume of the command; "" if it names none, or names something by its id."""
    if given.get("volume"):
        return str(given["volume"])
    volumes, name, sources = given.get("volumes"), given.get("name"), given.get("sources")
    if isinstance(volumes, list | tuple):
        return str(volumes[0]) if len(volumes) == 1 else ""
    if name:
        return "" if _ID.fullmatch(name) else str(name)
    # Only the manager knows which source a path is in.
    return volume_name(list(sources)) if sources and not any("/" in source for source in sources) else ""


def _refuse_manager_for_stream(name: str | None) -> None:
    """Raises UsageError: a stream is read where it is, and its volume stays with this process."""
    if name not in (None, HERE):
        raise UsageError(
            f"manager {name} cannot read a stream of this host", hint="leave --manager out, or use --manager local"
        )


def _refuse_places_here(given: dict[str, Any]) -> None:
    """Raises UsageError for folders and files of this host, which a manager would look for on its own."""
    if given.get("devices"):
        raise UsageError(
            "a manager uses the devices of its own configuration", hint="leave --device out, or use --manager local"
        )
    target = given.get("target") or ""
    if "/" in target or target == "..":
        raise UsageError(
            f"--target {target} is a path; agents restore only into folders that they know by name",
            hint="add [targets.NAME] to the configuration of every agent, and give --target NAME",
        )
    if given.get("files_from"):
        raise UsageError(
            "a manager reads no list of this host: --files-from names paths here",
            hint="name SOURCEs instead, or run this command on the manager's host with --manager local",
        )
    if given.get("svg") not in (None, "-"):
        raise UsageError(
            f"a manager cannot write {given['svg']} on this host",
            hint="print the drawing instead: segfleet plan … --svg - > FILE",
        )
