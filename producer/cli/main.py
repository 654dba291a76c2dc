"""The command ``segfleet``.  The one place that prints errors and exits."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import click

from producer.cli.backup import backup
from producer.cli.broker_command import broker
from producer.cli.check import check
from producer.cli.devices import devices
from producer.cli.diff import diff
from producer.cli.dump import dump
from producer.cli.find import find
from producer.cli.flower import flower
from producer.cli.history import history
from producer.cli.jsonlines import write_error
from producer.cli.ls import ls
from producer.cli.manager import manager
from producer.cli.plan import plan
from producer.cli.restore import restore
from producer.cli.resume import resume, retry
from producer.cli.safe_text import harmless
from producer.cli.schedule import schedule
from producer.cli.session import Session
from producer.cli.snapshots import snapshots
from producer.cli.status import status
from producer.cli.unlock import unlock
from producer.cli.worker import worker
from producer.state import open_state
from tasks.errors import InterruptedRun, SegfleetError, UsageError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="segfleet", message="segfleet %(version)s")
@click.option("--config", metavar="FILE", help="Configuration file; may stand after the command too.")
@click.pass_obj
def segfleet(session: Session, config: str | None) -> None:
    """Back up to several devices at once, and get everything back.

    Start with: segfleet backup FOLDER --device a=/mnt/a --device b=/mnt/b
    """
    session.config_file = config


_RUNS = (backup, plan, resume, retry, restore, check, unlock)
_LISTS = (snapshots, ls, find, diff, dump, devices, status, history)
_FLEET = (schedule, worker, manager, flower, broker)

for command in (*_RUNS, *_LISTS, *_FLEET):
    segfleet.add_command(command)


def main() -> None:
    gc.set_threshold(50_000)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; returns the exit code.  Errors have been printed by then."""
    json = _wants_json(arguments)
    try:
        code = segfleet.main(arguments, prog_name="segfleet", standalone_mode=False, obj=Session())
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:
        return _reader_went_away()
    except (KeyboardInterrupt, click.Abort):
        return _tell(InterruptedRun("interrupted"), json)
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
        write_error(error.code, error.message, error.path or "")
    click.echo(f"segfleet: {harmless(error.message)}", err=True)
    if error.hint:
        click.echo(f"  {harmless(error.hint)}", err=True)
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


def _reader_went_away() -> int:
    # As the Python documentation advises: or the interpreter would complain while it flushes at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
