"""Dead-man services: they raise the alarm when nobody asks in time."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Literal
from urllib.parse import quote

from producer.notify.ways.refusal import NotSentError

Sign = Literal["start", "success", "fail"]
_PATHS: dict[Sign, str] = {"start": "/start", "success": "", "fail": "/fail"}


def give_sign(url: str, volume: str, sign: Sign, text: str, *, limit_s: float) -> None:
    """Ask for ``url``, ``url``/start or ``url``/fail, with ``text`` as the body; raises NotSentError."""
    if not url.startswith(("https://", "http://")):
        raise NotSentError("the URL of the health check is not http:// or https://")
    address = url.replace("{volume}", quote(volume, safe="", errors="replace")).rstrip("/") + _PATHS[sign]
    try:
        request = urllib.request.Request(address, data=text.encode(errors="replace"), method="POST")
        with urllib.request.urlopen(request, timeout=limit_s) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        error.close()
        raise NotSentError(f"the health check answered with status {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        why = reason.strerror if isinstance(reason, OSError) else None
        raise NotSentError(f"the health check does not answer: {why or type(error).__name__}") from None
