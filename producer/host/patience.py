"""How long a run waits for what another one holds."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

_LOOK_EVERY_S = 0.25


class Patience(Struct, frozen=True, kw_only=True):
    """Ends at one moment, whatever is waited for until then; none by default."""

    #: On the monotonic clock.
    until_s: float = 0.0

    @property
    def left_s(self) -> float:
        return max(0.0, self.until_s - time.monotonic())

    def wait(self, on_wait: Callable[[], None]) -> bool:
        """Wait a moment; False when there is no patience left.  ``on_wait`` may raise."""
        on_wait()
        if not self.left_s:
            return False
        time.sleep(min(_LOOK_EVERY_S, self.left_s))
        return True


NO_PATIENCE = Patience()
