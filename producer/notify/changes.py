"""Which messages a change is worth.  Pure.

What was told is kept as one text for each condition: the state of a volume's last backup, of a device, of a schedule.
A condition that stays as it is makes no second message, however often somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from producer.notify.settings import Topic

#: The backup of a volume that fails every night is worth a message every night, one that is tried again every quarter
#: of an hour is not.
AGAIN_AFTER = timedelta(hours=20)


class Message(Struct, frozen=True, kw_only=True):
    topic: Topic
    #: One line.
    title: str
    body: str


class Condition(Struct, frozen=True, kw_only=True):
    """Something that is wrong now.  ``key`` says with what, ``state`` how: a new state is a change."""

    key: str
    state: str
    topic: Topic
    title: str
    body: str


class Told(Struct, frozen=True, kw_only=True):
    """What people know of a condition, by the last message about it."""

    state: str
    title: str
    at: datetime


class Change(Struct, frozen=True, kw_only=True):
    message: Message
    #: What people know under this key once it is sent; None: all is well again.
    key: str
    told: Told | None


def of_condition(
    condition: Condition, told: Mapping[str, Told], now: datetime, *, repeats: bool = False
) -> Change | None:
    """None if people know already; ``repeats``: it has happened again, and after a while they get another message."""
    known = told.get(condition.key)
    if known is not None and known.state == condition.state and not (repeats and now - known.at >= AGAIN_AFTER):
        return None
    message = Message(topic=condition.topic, title=condition.title, body=condition.body)
    return Change(message=message, key=condition.key, told=Told(state=condition.state, title=condition.title, at=now))


def of_recovery(key: str, told: Mapping[str, Told], title: str) -> Change | None:
    """None if nobody got a message that something was wrong."""
    known = told.get(key)
    if known is None:
        return None
    body = f"Reported at {known.at.astimezone():%Y-%m-%d %H:%M}: {known.title}"
    return Change(message=Message(topic="recovered", title=title, body=body), key=key, told=None)
