"""Sends a message for each change, by every way that is configured."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

from producer.host.safe_text import escaped
from producer.host.state import StateFolder
from producer.notify.changes import Change, Condition, Message, Told, of_condition, of_recovery
from producer.notify.memory import Memory
from producer.notify.outcome import Outcome
from producer.notify.settings import NotifySettings, Topic
from producer.notify.ways.health_check import Sign, give_sign
from producer.notify.ways.mail import send_mail
from producer.notify.ways.refusal import NoAnswerError, NotSentError
from producer.notify.ways.services import send_by_apprise

#: For each way; a backup that has ended waits for it.
LIMIT_S = 15.0


class Notifier:
    """Nothing here raises because a message did not get through: ``note`` gets the reason."""

    def __init__(
        self, settings: NotifySettings, state: StateFolder, note: Callable[[str], None], *, limit_s: float = LIMIT_S
    ) -> None:
        """``limit_s``: for each way."""
        self._settings = settings
        self._limit_s = limit_s
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
        """Take what is wrong now, of all keys that begin with one of ``kinds``; the others of these have recovered."""
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
        silent = set[str]()
        try:
            for key in [change.key for change in filter(None, changes(self._memory.told()))]:
                with self._memory.alone(key):
                    # Another process may have sent it meanwhile.
                    for change in filter(None, changes(self._memory.told())):
                        if change.key == key and self._is_told(change.message, silent):
                            self._memory.keep(key, change.told)
        except OSError as error:
            self._note(f"a notification was not sent: the state folder cannot be used: {error.strerror}")

    def _is_told(self, message: Message, silent: set[str]) -> bool:
        """Send it, if people want it; False if nobody got it, and the next look tries again.

        ``silent``: ways where nobody answers; they are not tried, and more are added.
        """
        if message.topic not in self._settings.on:
            return True
        asked = [way for way in ways(self._settings) if way not in silent]
        refusals = send(self._settings, message, asked, limit_s=self._limit_s)
        for refusal in refusals.values():
            self._note(f"a notification was not sent: {refusal}")
        silent |= {way for way, refusal in refusals.items() if isinstance(refusal, NoAnswerError)}
        return len(refusals) < len(asked)

    def _give_sign(self, volume: str, sign: Sign, text: str) -> None:
        if self._settings.health_check:
            try:
                give_sign(self._settings.health_check, volume, sign, text, limit_s=self._limit_s)
            except NotSentError as error:
                self._note(str(error))


def _well_again(key: str) -> str:
    kind, _, name = key.partition(" ")
    match kind:
        case "device":
            return f"device {name} is back"
        case "upkeep":
            return f"the scheduled {name} runs again"
        case "damage":
            return "the last check found no errors"
    return f"volume {name} is not overdue any more"


def ways(settings: NotifySettings) -> list[str]:
    """The names of the configured ways that carry messages."""
    return [*(["mail"] if settings.smtp_url else []), *(["apprise"] if settings.urls else [])]


def send(
    settings: NotifySettings, message: Message, asked: Sequence[str], *, limit_s: float = LIMIT_S
) -> dict[str, NotSentError]:
    """Send it by these ways; returns way → why it did not take the message, empty when all did."""
    titled = Message(topic=message.topic, title=f"segfleet on {platform.node()}: {message.title}", body=message.body)
    senders: dict[str, Callable[[], None]] = {
        "mail": lambda: send_mail(settings, titled, limit_s=limit_s),
        "apprise": lambda: send_by_apprise(settings.urls, titled),
    }
    refusals = {}
    for way in asked:
        try:
            senders[way]()
        except NotSentError as error:
            refusals[way] = error
    return refusals
