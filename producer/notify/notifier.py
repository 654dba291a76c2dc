"""Sends a message for each change, by every way that is configured."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime

from producer.host.safe_text import escaped
from producer.host.state import StateFolder
from producer.notify.changes import Change, Condition, Message, Told, of_condition, of_recovery
from producer.notify.memory import Memory
from producer.notify.outcome import Outcome
from producer.notify.settings import NotifySettings, Topic
from producer.notify.ways.health_check import Sign, give_sign
from producer.notify.ways.mail import send_mail
from producer.notify.ways.refusal import NotSentError
from producer.notify.ways.services import send_by_apprise

#: For each way; a backup that has ended waits for it.
LIMIT_S = 15.0


class Notifier:
    """Nothing here raises because a message did not get through: ``note`` gets the reason."""

    def __init__(self, settings: NotifySettings, state: StateFolder, note: Callable[[str], None]) -> None:
        self._settings = settings
        self._memory = Memory(state)
        self._note = note

    def started(self, volume: str) -> None:
        self._give_sign(volume, "start", "")

    def ended(self, outcome: Outcome) -> None:
        self._give_sign(outcome.volume, "success" if outcome.exit_code == 0 else "fail", escaped(outcome.summary))
        name = escaped(outcome.volume)
        key = f"backup {name}"
        if outcome.exit_code == 0:
            self._tell(lambda told: [of_recovery(key, told, f"volume {name} is backed up again")])
            return
        topic: Topic = "partial" if outcome.exit_code == 3 else "failed"
        condition = Condition(
            key=key,
            state=topic,
            topic=topic,
            title=f"the backup of volume {name} {'is partial' if topic == 'partial' else 'failed'}",
            body=escaped(outcome.summary),
        )
        self._tell(lambda told: [of_condition(condition, told, datetime.now(UTC), repeats=True)])

    def look(self, conditions: Iterable[Condition], kinds: Collection[str]) -> None:
        """What is wrong now, of all whose keys begin with one of ``kinds``: what is not among it has recovered."""
        now_wrong = {condition.key: condition for condition in conditions}

        def changes(told: dict[str, Told]) -> list[Change | None]:
            now = datetime.now(UTC)
            over = [key for key in told if key.partition(" ")[0] in kinds and key not in now_wrong]
            return [
                *(of_condition(condition, told, now) for condition in now_wrong.values()),
                *(of_recovery(key, told, _well_again(key)) for key in over),
            ]

        self._tell(changes)

    def _tell(self, changes: Callable[[dict[str, Told]], list[Change | None]]) -> None:
        if not self._settings.sends_messages:
            return
        try:
            with self._memory.opened() as told:
                for change in filter(None, changes(told)):
                    if change.message.topic in self._settings.on and not self._send(change.message):
                        continue  # the next look tries again
                    if change.told is None:
                        del told[change.key]
                    else:
                        told[change.key] = change.told
        except OSError as error:
            self._note(f"a notification was not sent: the state folder cannot be used: {error.strerror}")

    def _send(self, message: Message) -> bool:
        """Whether somebody got it."""
        refusals = send(self._settings, message)
        for refusal in refusals.values():
            self._note(f"a notification was not sent: {refusal}")
        return len(refusals) < len(ways(self._settings))

    def _give_sign(self, volume: str, sign: Sign, text: str) -> None:
        if self._settings.health_check:
            try:
                give_sign(self._settings.health_check, volume, sign, text, limit_s=LIMIT_S)
            except NotSentError as error:
                self._note(str(error))


def _well_again(key: str) -> str:
    kind, _, name = key.partition(" ")
    match kind:
        case "device":
            return f"device {name} is there again"
        case "upkeep":
            return f"the scheduled {name} runs again"
        case "damage":
            return "the last check found no errors"
    return f"volume {name} is not overdue any more"


def ways(settings: NotifySettings) -> list[str]:
    """By name; those that carry messages."""
    return [*(["mail"] if settings.smtp_url else []), *(["apprise"] if settings.urls else [])]


def send(settings: NotifySettings, message: Message) -> dict[str, str]:
    """Way → why it did not take the message; empty when all did."""
    titled = Message(topic=message.topic, title=f"segfleet on {platform.node()}: {message.title}", body=message.body)
    senders: dict[str, Callable[[], None]] = {
        "mail": lambda: send_mail(settings, titled, limit_s=LIMIT_S),
        "apprise": lambda: send_by_apprise(settings.urls, titled),
    }
    refusals = {}
    for way in ways(settings):
        try:
            senders[way]()
        except NotSentError as error:
            refusals[way] = str(error)
    return refusals
