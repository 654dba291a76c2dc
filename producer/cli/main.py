"""The command ``segfleet``.  The one place that prints errors and exits."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import click
from click.exceptions import NoArgsIsHelpError

from producer.cli.call import Call
from producer.cli.lazy_group import LazyGroup
from producer.cli.output import GuardedOutput, guard_output
from producer.cli.show.json_lines import write_error
from producer.cli.show.wrapped import warn
from producer.host.signals import ending_signals
from producer.host.state import open_state
from producer.run.interrupt import on_sigterm
from tasks.errors import InterruptedRun, OutputError, SegfleetError, UsageError

_PLACES = {
    "backup": "producer.cli.commands.backup.backup:backup",
    "broker": "producer.cli.commands.services.broker:broker",
    "check": "producer.cli.commands.care.check:check",
    "completion": "producer.cli.commands.about.completion:completion",
    "config": "producer.cli.commands.config.config:config",
    "devices": "producer.cli.commands.devices.devices:devices",
    "diff": "producer.cli.commands.browse.diff:diff",
    "dump": "producer.cli.commands.restore.dump:dump",
    "find": "producer.cli.commands.browse.find:find",
    "flower": "producer.cli.commands.services.flower:flower",
    "forget": "producer.cli.commands.retention.forget:forget",
    "help": "producer.cli.commands.about.help:help_",
    "history": "producer.cli.commands.care.history:history",
    "init": "producer.cli.commands.config.init:init",
    "log": "producer.cli.commands.care.log:log",
    "ls": "producer.cli.commands.browse.ls:ls",
    "manager": "producer.cli.commands.services.manager:manager",
    "metrics": "producer.cli.commands.care.metrics:metrics",
    "mount": "producer.cli.commands.restore.mount:mount",
    "notify": "producer.cli.commands.services.notify:notify",
    "page": "producer.cli.commands.services.page:page",
    "pin": "producer.cli.commands.retention.pin:pin",
    "plan": "producer.cli.commands.backup.plan:plan",
    "prune": "producer.cli.commands.retention.prune:prune",
    "rebuild": "producer.cli.commands.care.rebuild:rebuild",
    "repair": "producer.cli.commands.care.repair:repair",
    "restore": "producer.cli.commands.restore.restore:restore",
    "resume": "producer.cli.commands.backup.resume:resume",
    "retry": "producer.cli.commands.backup.resume:retry",
    "rewrite": "producer.cli.commands.retention.rewrite:rewrite",
    "schedule": "producer.cli.commands.schedule.schedule:schedule",
    "schema": "producer.cli.commands.about.schema:schema",
    "snapshots": "producer.cli.commands.browse.snapshots:snapshots",
    "stats": "producer.cli.commands.care.stats:stats",
    "status": "producer.cli.commands.care.status:status",
    "tag": "producer.cli.commands.retention.tag:tag",
    "unlock": "producer.cli.commands.care.unlock:unlock",
    "unpin": "producer.cli.commands.retention.pin:unpin",
    "worker": "producer.cli.commands.services.worker:worker",
}

#: The folders of commands, as --help has them.
_TITLES = {
    "config": "Set up",
    "backup": "Back up",
    "restore": "Restore",
    "browse": "Look into snapshots",
    "care": "See whether all is well, and mend it",
    "retention": "Keep and forget",
    "devices": "Devices",
    "schedule": "Schedules",
    "services": "Services",
    "about": "About segfleet",
}

#: These do something, and report it: they do it whether or not the report can be written.
_CHANGING = frozenset(
    (
        "backup",
        "check",
        "flower",
        "forget",
        "init",
        "manager",
        "mount",
        "notify",
        "page",
        "pin",
        "prune",
        "rebuild",
        "repair",
        "restore",
        "resume",
        "retry",
        "rewrite",
        "schedule",
        "tag",
        "unlock",
        "unpin",
        "worker",
    )
)


@click.group(
    cls=LazyGroup,
    places=_PLACES,
    titles=_TITLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="segfleet", message="segfleet %(version)s")
@click.option("--config", metavar="FILE", help="Configuration file; can also follow the command.")
@click.pass_context
def segfleet(ctx: click.Context, config: str | None) -> None:
    """Back up to several devices at once, and restore from all of them at once.

    Start with: segfleet backup FOLDER --device a=/mnt/a --device b=/mnt/b
    """
    call = ctx.ensure_object(Call)
    call.config_file = config
    call.output.is_the_result = ctx.invoked_subcommand not in _CHANGING


def main() -> int:
    """Carry out the command line of this process; returns the exit code."""
    output = guard_output()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in set(ending_signals()) - {signal.SIGINT}:
        signal.signal(number, on_sigterm)
    return run(sys.argv[1:], output)


def run(arguments: Sequence[str], output: GuardedOutput | None = None) -> int:
    """Carry out one command line; returns the exit code.  Errors have been printed by then.

    ``output`` is what standard output goes through.
    """
    json = _wants_json(arguments)
    call = Call(output=output or GuardedOutput())
    try:
        code = segfleet.main(arguments, prog_name="segfleet", standalone_mode=False, obj=call)
        sys.stdout.flush()
        call.output.check()
        return int(code or 0)
    except OutputError as error:
        return error.exit_code if error.reader_is_gone else _tell(error, json)
    except (KeyboardInterrupt, click.Abort):
        return _tell(InterruptedRun("interrupted"), json)
    except NoArgsIsHelpError as error:
        assert error.ctx is not None
        click.echo(error.ctx.get_help())
        return 0
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "segfleet"
        return _tell(UsageError(error.format_message(), hint=f"see {command} --help"), json)
    except SegfleetError as error:
        return _tell(error, json)
    except Exception as error:
        return _tell_unforeseen(error, json)


def _wants_json(arguments: Sequence[str]) -> bool:
    # Not from click: a command line that does not parse must be answered in JSON too.
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _tell(error: SegfleetError, json: bool) -> int:
    if json:
        write_error(error.code, error.message, error.path or "", hint=error.hint)
    warn(f"segfleet: {error.message}")
    if error.hint:
        warn(f"  {error.hint}")
    return error.exit_code


def _tell_unforeseen(error: Exception, json: bool) -> int:
    if os.environ.get("SEGFLEET_DEBUG") == "1":
        raise error
    from producer.cli.crash import write_report

    message = f"internal error: {type(error).__name__}: {error}"
    try:
        report = write_report(error, open_state().path / "crashes")
    except (OSError, SegfleetError) as refusal:
        return _tell(SegfleetError(message, hint=f"no report could be written ({refusal}); set SEGFLEET_DEBUG=1"), json)
    return _tell(SegfleetError(message, hint=f"this is a bug in segfleet; please report it with {report}"), json)
