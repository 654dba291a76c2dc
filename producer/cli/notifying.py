"""Who is notified of a command's backups, as the configuration and the environment say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.configuration.secrets import secret
from producer.host.state import open_state
from tasks.errors import InterruptedRun, LockedError, SegfleetError, UsageError

if TYPE_CHECKING:
    from producer.notify.notifier import Notifier
    from producer.notify.outcome import Outcome
    from producer.notify.settings import NotifySettings
    from producer.summaries import BackupSummary

SMTP_VARIABLE = "SEGFLEET_NOTIFY_SMTP"
URLS_VARIABLE = "SEGFLEET_NOTIFY_URLS"
HEALTH_CHECK_VARIABLE = "SEGFLEET_NOTIFY_HEALTH_CHECK"

_LOOK_EVERY_S = 60.0

Note = Callable[[str], None]


def notify_settings(call: Call) -> NotifySettings:
    """Raises UsageError for a file that cannot be read, and for mail without addresses."""
    from producer.notify.settings import NotifySettings

    table = call.configuration.notify
    urls = secret(URLS_VARIABLE, os.environ)
    settings = NotifySettings(
        on=frozenset(table.on),
        urls=tuple(urls.split()) if urls else table.urls,
        smtp_url=secret(SMTP_VARIABLE, os.environ) or table.smtp or "",
        mail_from=table.mail_from,
        mail_to=table.mail_to,
        health_check=secret(HEALTH_CHECK_VARIABLE, os.environ) or table.health_check or "",
    )
    if settings.smtp_url and not (settings.mail_from and settings.mail_to):
        raise UsageError("mail needs a sender and a recipient", hint="set mail-from and mail-to in [notify]")
    return settings


def notifier_of(call: Call, note: Note) -> Notifier | None:
    """None where nobody is to be notified."""
    settings = notify_settings(call)
    if settings.is_empty:
        return None
    # Only here: the imports of mail take as long as a list.
    from producer.notify.notifier import Notifier

    return Notifier(settings, open_state(), note)


def reported(call: Call, volume: str, note: Note, back_up: Callable[[], BackupSummary]) -> BackupSummary:
    """Carry out a backup; hooks and people learn how it ended.

    Not of one that gave way to another run or was interrupted: who interrupted it knows, and a manager resumes it.
    Raises what ``back_up`` raises, and UsageError, before it begins, where the settings are wrong.
    """
    notifier = notifier_of(call, note)
    if notifier is None and volume not in call.configuration.volumes:
        return back_up()
    from producer.notify.outcome import outcome_of, outcome_of_failure

    if notifier is not None:
        notifier.started(volume)
    try:
        summary = back_up()
    except (LockedError, InterruptedRun):
        raise
    except Exception as error:
        _tell(call, outcome_of_failure(volume, error), notifier, note)
        raise
    _tell(call, outcome_of(volume, summary), notifier, note)
    return summary


def did_not_start(call: Call, volume: str, error: SegfleetError, note: Note) -> None:
    """As :func:`reported`, of a backup whose sources or devices are not as the command says."""
    from producer.notify.outcome import outcome_of_failure

    _tell(call, outcome_of_failure(volume, error), notifier_of(call, note), note)


def _tell(call: Call, outcome: Outcome, notifier: Notifier | None, note: Note) -> None:
    if notifier is not None:
        notifier.ended(outcome)
        look_around(call, note)
    hooks = call.hooks().get(outcome.volume)
    if hooks is None:
        return
    from producer.raw.quiesce.hooks import run_after

    try:
        run_after(hooks, outcome.kind, outcome.variables())
    except SegfleetError as error:
        note(error.message)


def look_around(call: Call, note: Note) -> None:
    """Notify of devices and schedules that are in trouble now, or well again; trouble with that itself is noted."""
    try:
        notifier = notifier_of(call, note)
        if notifier is not None:
            _look_around(call, notifier)
    except SegfleetError as error:
        note(f"no notifications about devices and schedules: {error.message}")


def _look_around(call: Call, notifier: Notifier) -> None:
    from producer.monitor.conditions import KINDS, conditions
    from producer.monitor.expected import expected_by
    from producer.monitor.space.sums import NO_SUMS
    from producer.monitor.survey import survey

    with opened_catalog(call) as catalog:
        found = survey(catalog, expected=expected_by(call.configuration), kept=NO_SUMS)
    notifier.look(conditions(found), KINDS)


@contextmanager
def looking_around(call: Call, note: Note) -> Iterator[None]:
    """Do :func:`look_around` every minute during the block, in a thread: mail may take longer than a lease lives."""
    if notifier_of(call, note) is None:
        yield
        return
    ended = Event()

    def look() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            look_around(call, note)

    Thread(target=look, daemon=True, name="looking-around").start()
    try:
        yield
    finally:
        ended.set()
