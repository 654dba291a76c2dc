"""``segfleet notify``: who is notified when something goes wrong."""

from __future__ import annotations

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.notifying import notify_settings
from producer.cli.options.shared import config_option
from producer.cli.show.wrapped import say
from tasks.errors import SegfleetError, UsageError


@click.group("notify")
def notify() -> None:
    """Send messages when a backup fails, a device is in trouble, or a volume is overdue."""


@notify.command(cls=CommandHere)
@config_option
@click.pass_obj
def test(call: Call) -> None:
    """Send a test message by mail and apprise, and a ping to the health check, as [notify] says."""
    from producer.notify.changes import Message
    from producer.notify.notifier import LIMIT_S, send, ways
    from producer.notify.ways.health_check import give_sign
    from producer.notify.ways.refusal import NotSentError

    settings = notify_settings(call)
    if settings.is_empty:
        raise UsageError(
            "no mail server, service or health check is configured", hint="set smtp, urls or health-check in [notify]"
        )
    body = "This is a test.  Messages about backups, devices and schedules will come this way."
    refusals = send(settings, Message(topic="recovered", title="a test", body=body), ways(settings))
    sent = [way for way in ways(settings) if way not in refusals]
    if settings.health_check:
        try:
            give_sign(settings.health_check, "test", "success", body, limit_s=LIMIT_S)
            sent.append("health check")
        except NotSentError as error:
            refusals["health check"] = error
    for way in sent:
        say(f"{way}: sent")
    for way, why in refusals.items():
        say(f"{way}: {why}")
    if refusals:
        raise SegfleetError(f"not sent by {', '.join(refusals)}", hint="see [notify] in docs/configuration.md")
