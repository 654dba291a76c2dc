"""The steps of a manager's loop: whatever goes wrong in one of them, the service goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger("segfleet.manager")

#: The same trouble in each turn of the loop is reported this often.
_REPORT_EVERY_S = 60.0


class Steps:
    """``before`` is called before each step; ``note`` gets what went wrong."""

    def __init__(self, *, before: Callable[[], None], note: Callable[[str], None]) -> None:
        self._before = before
        self._note = note
        self._reported: dict[str, float] = {}

    def take(self, act: Callable[[], None]) -> str:
        """Do one step; returns what went wrong, "" if nothing did.

        A full disk, a command that nobody foresaw, a fault of segfleet's own: none of them concerns the other
        commands.
        """
        self._before()
        try:
            act()
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            self._report(text)
            return text
        return ""

    def _report(self, text: str) -> None:
        now_s = time.monotonic()
        self._reported = {text: at_s for text, at_s in self._reported.items() if now_s - at_s < _REPORT_EVERY_S}
        if text not in self._reported:
            self._reported[text] = now_s
            self._note(f"the manager continues after an error: {text}")
            log.warning("the error was raised here", exc_info=True)
