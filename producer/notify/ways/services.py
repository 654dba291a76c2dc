"""The services that apprise knows: chats, push services, webhooks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from producer.notify.changes import Message
from producer.notify.ways.refusal import NotSentError


def send_by_apprise(urls: Sequence[str], message: Message) -> None:
    """Raises NotSentError when one of the services does not take the message."""
    apprise = _apprise()
    # Its log names addresses.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    failed = []
    for number, url in enumerate(urls, 1):
        sender = apprise.Apprise()
        kind = apprise.NotifyType.SUCCESS if message.topic == "recovered" else apprise.NotifyType.WARNING
        if not (sender.add(url) and sender.notify(title=message.title, body=message.body, notify_type=kind)):
            failed.append(f"{number} ({url.partition('://')[0]})")
    if failed:
        raise NotSentError(f"apprise could not send to url {', '.join(failed)}")


def _apprise() -> Any:
    try:
        # Only here: it is an extra, and takes a second.
        import apprise
    except ImportError:
        raise NotSentError("apprise is not installed: pip install 'segfleet[notify]'") from None
    return apprise
