"""Whom to tell, of what, and which way."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

Topic = Literal["failed", "partial", "device", "overdue", "damaged", "recovered"]
TOPICS: tuple[Topic, ...] = get_args(Topic)


class NotifySettings(Struct, frozen=True, kw_only=True):
    """URLs may hold passwords: they are in no representation of this object."""

    on: frozenset[Topic] = frozenset(TOPICS)
    #: Of apprise, which knows some hundred services.
    urls: tuple[str, ...] = ()
    #: smtp:// or smtps://; "": no mail.
    smtp_url: str = ""
    mail_from: str = ""
    mail_to: tuple[str, ...] = ()
    #: Asked at the beginning and the end of each backup; "{volume}" in it becomes the volume's name.
    health_check: str = ""

    def __repr__(self) -> str:
        return f"NotifySettings(on={set(self.on)}, mail_to={self.mail_to})"

    @property
    def sends_messages(self) -> bool:
        return bool(self.urls or self.smtp_url)

    @property
    def is_empty(self) -> bool:
        return not (self.sends_messages or self.health_check)
